package expression

import (
	"maps"
	"slices"
)

// Operators returns the names of the operators of MongoDB 7.0, those that there are not included, sorted.
func Operators() []string {
	all := maps.Clone(planned)
	for name := range operators {
		all[name] = true
	}
	return slices.Sorted(maps.Keys(all))
}
