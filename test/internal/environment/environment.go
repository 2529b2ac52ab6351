// Package environment reads the settings of long tests.
package environment

import (
	"fmt"
	"os"
	"strconv"
)

// Number reads a whole number from an environment variable; otherwise is what it is if the variable is not set.
func Number(name string, otherwise uint64) (uint64, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}
