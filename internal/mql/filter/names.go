package filter

import (
	"maps"
	"slices"
)

// FieldOperators returns the names of the operators that may stand in a field, those that are refused included, sorted.
func FieldOperators() []string { return slices.Sorted(maps.Keys(fieldOperators)) }

// DocumentOperators returns the names of the operators that stand in no field, those that are refused included, sorted.
func DocumentOperators() []string { return slices.Sorted(maps.Keys(documentOperators)) }
