package expression

// operators is the table of the language. What MongoDB has beyond it is in planned.
var operators = map[string]operator{
	"$literal": {special: compileLiteral},
	"$const":   {special: compileLiteral}, // what MongoDB calls $literal when it shows a pipeline
	"$let":     {special: compileLet},

	"$cmp": {binary: evalCmp},
	"$eq":  comparison(func(order int) bool { return order == 0 }),
	"$ne":  comparison(func(order int) bool { return order != 0 }),
	"$gt":  comparison(func(order int) bool { return order > 0 }),
	"$gte": comparison(func(order int) bool { return order >= 0 }),
	"$lt":  comparison(func(order int) bool { return order < 0 }),
	"$lte": comparison(func(order int) bool { return order <= 0 }),

	"$and": {lazy: newAnd},
	"$or":  {lazy: newOr},
	"$not": {unary: evalNot},

	"$cond":   {special: compileCond},
	"$ifNull": {special: compileIfNull},
	"$switch": {special: compileSwitch},
}
