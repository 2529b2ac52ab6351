// Package repocheck holds the tests of the repository itself: the size budgets of its Go code, and that what the documents
// name exists. It has no code that anything may import.
package repocheck
