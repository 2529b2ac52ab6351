// Package decimal is the arithmetic of decimal128 beneath update operators and schemas. How operators choose between it and
// that of other types does not belong here.
package decimal
