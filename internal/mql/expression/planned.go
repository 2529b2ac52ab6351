package expression

// planned names the operators of MongoDB 7.0 that are not in the table: asking for one is told apart from a typing error.
var planned = map[string]bool{
	"$accumulator": true, "$bitAnd": true, "$bitNot": true, "$bitOr": true, "$bitXor": true, "$convert": true,
	"$function": true,
	"$meta":     true, "$toBool": true, "$toDate": true, "$toDecimal": true,
	"$toDouble": true, "$toHashedIndexKey": true, "$toInt": true, "$toLong": true, "$toObjectId": true,
}
