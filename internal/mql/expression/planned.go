package expression

// planned names the operators of MongoDB 7.0 that are not in the table: asking for one is told apart from a typing error.
var planned = map[string]bool{
	"$accumulator": true, "$acos": true, "$acosh": true, "$asin": true, "$asinh": true, "$atan": true, "$atan2": true,
	"$atanh": true, "$bitAnd": true, "$bitNot": true, "$bitOr": true, "$bitXor": true, "$ceil": true, "$convert": true,
	"$cos": true, "$cosh": true, "$dateAdd": true, "$dateDiff": true, "$dateFromParts": true, "$dateFromString": true,
	"$dateSubtract": true, "$dateToParts": true, "$dateToString": true, "$dateTrunc": true, "$dayOfMonth": true,
	"$dayOfWeek": true, "$dayOfYear": true, "$degreesToRadians": true, "$exp": true, "$floor": true, "$function": true,
	"$hour": true, "$isoDayOfWeek": true, "$isoWeek": true, "$isoWeekYear": true, "$ln": true, "$log": true,
	"$log10": true, "$meta": true, "$millisecond": true, "$minute": true, "$month": true,
	"$pow": true, "$radiansToDegrees": true, "$round": true, "$second": true, "$sin": true,
	"$sinh": true, "$sqrt": true, "$tan": true, "$tanh": true, "$toBool": true, "$toDate": true, "$toDecimal": true,
	"$toDouble": true, "$toHashedIndexKey": true, "$toInt": true, "$toLong": true, "$toObjectId": true, "$trunc": true,
	"$week": true, "$year": true,
}
