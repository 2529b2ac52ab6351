// Package argument reads what the arguments of commands, stages, operators and keywords of schemas have in common: whole numbers,
// sets of types, and names that must not be there twice. What is made of them does not belong here.
package argument
