package expression

// planned names the operators of MongoDB 7.0 that are not in the table: asking for one is told apart from a typing error. They run
// JavaScript, which this server does not.
var planned = map[string]bool{"$accumulator": true, "$function": true}
