package aggregation

import (
	"maps"
	"slices"
)

// Stages returns the names of the stages of MongoDB 7.0, those that there are not included, sorted.
func Stages() []string { return slices.Sorted(maps.Keys(stages)) }

// Accumulators returns the names of the operators of $group in MongoDB 7.0, those that there are not included, sorted.
func Accumulators() []string { return slices.Sorted(maps.Keys(accumulators)) }
