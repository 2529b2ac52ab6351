// Package collation is the order of strings by the rules of a language: the collation document that commands take, checked, and
// comparisons and sort keys made with it. The weights of characters are those of golang.org/x/text/collate; what that package
// cannot do as MongoDB's ICU does is refused. Which values are compared, and when, is the business of the languages that use
// this package.
package collation
