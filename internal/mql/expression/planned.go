package expression

// planned names the operators of MongoDB 7.0 that are not in the table: asking for one is told apart from a typing error.
var planned = map[string]bool{
	"$accumulator": true, "$bitAnd": true, "$bitNot": true, "$bitOr": true, "$bitXor": true, "$convert": true,
	"$dateAdd": true, "$dateDiff": true, "$dateFromParts": true, "$dateFromString": true,
	"$dateSubtract": true, "$dateToParts": true, "$dateToString": true, "$dateTrunc": true, "$dayOfMonth": true,
	"$dayOfWeek": true, "$dayOfYear": true, "$function": true,
	"$hour": true, "$isoDayOfWeek": true, "$isoWeek": true, "$isoWeekYear": true, "$meta": true, "$millisecond": true, "$minute": true, "$month": true,
	"$second": true, "$toBool": true, "$toDate": true, "$toDecimal": true,
	"$toDouble": true, "$toHashedIndexKey": true, "$toInt": true, "$toLong": true, "$toObjectId": true, "$week": true, "$year": true,
}
