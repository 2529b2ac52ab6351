// Package argument reads the arguments that operators of queries and keywords of schemas have in common: whole numbers and
// sets of types. What an operator makes of them does not belong here.
package argument
