package expression

import (
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/elementary"
)

// operators is the table of the language. What MongoDB has beyond it is in planned.
var operators = map[string]operator{
	"$literal": {special: compileLiteral},
	"$const":   {special: compileLiteral}, // what MongoDB calls $literal when it shows a pipeline
	"$let":     {special: compileLet},

	"$cmp": {binary: evalCmp, collated: collatedCmp},
	"$eq":  equality,
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

	"$type":     {unary: evalType},
	"$isNumber": {unary: evalIsNumber},
	"$isArray":  {unary: evalIsArray},

	"$convert":    {special: compileConvert},
	"$toBool":     converts(bsonraw.TypeBool),
	"$toDate":     converts(bsonraw.TypeDate),
	"$toDecimal":  converts(bsonraw.TypeDecimal128),
	"$toDouble":   converts(bsonraw.TypeDouble),
	"$toInt":      converts(bsonraw.TypeInt32),
	"$toLong":     converts(bsonraw.TypeInt64),
	"$toObjectId": converts(bsonraw.TypeObjectID),
	"$toString":   converts(bsonraw.TypeString),

	"$add":      {nary: evalAdd, joins: true, joinsApart: true},
	"$subtract": {binary: evalSubtract},
	"$multiply": {nary: evalMultiply, joins: true, joinsApart: true},
	"$divide":   {binary: evalDivide},
	"$mod":      {binary: evalMod},
	"$abs":      {unary: evalAbs},

	"$ceil":  integralNumber("$ceil", math.Ceil, apd.RoundCeiling),
	"$floor": integralNumber("$floor", math.Floor, apd.RoundFloor),
	"$round": rounds("$round", apd.RoundHalfEven, math.RoundToEven),
	"$trunc": rounds("$trunc", apd.RoundDown, math.Trunc),
	"$sqrt":  sqrtFunction.operator(),
	"$exp":   numberFunction{name: "$exp", double: elementary.Exp, decimal: decimalExp}.operator(),
	"$ln":    logarithm("$ln", 28766, elementary.Log, decimalLn),
	"$log10": logarithm("$log10", 28761, elementary.Log10, decimalLog10),
	"$log":   {binary: evalLog},
	"$pow":   {binary: evalPow},

	"$sin":              angles{double: elementary.Sin, digits: elementary.BigSin, zero: itself, bounds: finiteAngles}.operator("$sin"),
	"$cos":              angles{double: elementary.Cos, digits: elementary.BigCos, zero: unity, bounds: finiteAngles}.operator("$cos"),
	"$tan":              angles{double: elementary.Tan, digits: elementary.BigTan, zero: lowered, bounds: finiteAngles}.operator("$tan"),
	"$asin":             angles{double: elementary.Asin, digits: elementary.BigAsin, zero: lowered, bounds: unitAngles}.operator("$asin"),
	"$acos":             angles{double: elementary.Acos, digits: elementary.BigAcos, zero: rightAngle, bounds: unitAngles}.operator("$acos"),
	"$atan":             angles{double: elementary.Atan, digits: elementary.BigAtan, zero: itself, extreme: quarter}.operator("$atan"),
	"$atan2":            {binary: evalAtan2},
	"$sinh":             angles{double: elementary.Sinh, digits: elementary.BigSinh, zero: lowered, extreme: infinity}.operator("$sinh"),
	"$cosh":             angles{double: elementary.Cosh, digits: elementary.BigCosh, zero: unity, extreme: positiveInfinity}.operator("$cosh"),
	"$tanh":             angles{double: elementary.Tanh, digits: elementary.BigTanh, zero: itself, extreme: signedOne}.operator("$tanh"),
	"$asinh":            angles{double: elementary.Asinh, digits: elementary.BigAsinh, zero: lowest, extreme: infinity}.operator("$asinh"),
	"$acosh":            angles{double: elementary.Acosh, digits: elementary.BigAcosh, zero: lowest, extreme: infinity, bounds: acoshAngles}.operator("$acosh"),
	"$atanh":            angles{double: elementary.Atanh, digits: elementary.BigAtanh, zero: lowest, bounds: unitAngles}.operator("$atanh"),
	"$degreesToRadians": scalesAngle("$degreesToRadians", math.Pi/180, "0.01745329251994329576923690768488613"),
	"$radiansToDegrees": scalesAngle("$radiansToDegrees", 180/math.Pi, "57.29577951308232087679815481410517"),

	"$concat":      {nary: evalConcat, joins: true},
	"$toLower":     changeCase(lowerByte),
	"$toUpper":     changeCase(upperByte),
	"$strLenBytes": {unary: evalStrLenBytes},

	"$size":         {unary: evalSize},
	"$arrayElemAt":  {binary: evalArrayElemAt},
	"$first":        endOfArray("$first", 0),
	"$last":         endOfArray("$last", -1),
	"$in":           {binary: evalIn, collated: collatedIn},
	"$concatArrays": {nary: evalConcatArrays, joins: true},
	"$slice":        {nary: evalSlice, min: 2, max: 3},
	"$map":          {special: compileMap},
	"$filter":       {special: compileFilter},

	"$mergeObjects":  {nary: evalMergeObjects},
	"$objectToArray": {unary: evalObjectToArray},
	"$arrayToObject": {unary: evalArrayToObject},
	"$getField":      {special: compileGetField},

	"$setField":   {special: compileSetField},
	"$unsetField": {special: compileSetField},
	"$rand":       {special: compileRand},
	"$meta":       {special: compileMeta},

	"$bitAnd": combinesBits("$bitAnd", -1, func(a, b int64) int64 { return a & b }),
	"$bitOr":  combinesBits("$bitOr", 0, func(a, b int64) int64 { return a | b }),
	"$bitXor": combinesBits("$bitXor", 0, func(a, b int64) int64 { return a ^ b }),
	"$bitNot": {unary: evalBitNot},

	"$toHashedIndexKey": {special: compileHashedIndexKey},

	"$binarySize":  {unary: evalBinarySize},
	"$bsonSize":    {unary: evalBSONSize},
	"$tsSecond":    timestampPart("$tsSecond", 5687301, func(seconds, _ uint32) uint32 { return seconds }),
	"$tsIncrement": timestampPart("$tsIncrement", 5687302, func(_, increment uint32) uint32 { return increment }),

	"$setUnion":        setOperator(setUnion),
	"$setIntersection": setOperator(setIntersection),
	"$setDifference":   setOperator(setDifference),
	"$setIsSubset":     {special: compileSetIsSubset},
	"$setEquals":       {special: compileSetEquals},
	"$anyElementTrue":  elementsTrue("$anyElementTrue", 17041, true),
	"$allElementsTrue": elementsTrue("$allElementsTrue", 17040, false),

	"$reverseArray": {unary: evalReverseArray},
	"$range":        {nary: evalRange, min: 2, max: 3},
	"$indexOfArray": setOperator(indexOfArray),
	"$reduce":       {special: compileReduce},
	"$zip":          {special: compileZip},
	"$sortArray":    {special: compileSortArray},
	"$firstN":       picks(5787801, firstItems),
	"$lastN":        picks(5787801, lastItems),
	"$minN":         picks(5787900, leastItems),
	"$maxN":         picks(5787900, greatestItems),

	"$sum":        accumulated(true, func(*collation.Collation) accumulation { return &total{} }),
	"$avg":        accumulated(false, func(*collation.Collation) accumulation { return &total{average: true} }),
	"$min":        accumulated(true, func(by *collation.Collation) accumulation { return &extreme{by: by, sign: 1} }),
	"$max":        accumulated(true, func(by *collation.Collation) accumulation { return &extreme{by: by, sign: -1} }),
	"$stdDevPop":  accumulated(false, func(*collation.Collation) accumulation { return &deviation{} }),
	"$stdDevSamp": accumulated(false, func(*collation.Collation) accumulation { return &deviation{sample: true} }),

	"$median":     compileQuantile(7436201),
	"$percentile": compileQuantile(7436200),

	"$year":           partOfDate("$year", yearOf),
	"$month":          partOfDate("$month", monthOf),
	"$dayOfMonth":     partOfDate("$dayOfMonth", dayOf),
	"$dayOfYear":      partOfDate("$dayOfYear", localTime.yearDay),
	"$dayOfWeek":      partOfDate("$dayOfWeek", func(t localTime) int { return t.weekday() + 1 }),
	"$week":           partOfDate("$week", localTime.week),
	"$isoWeek":        partOfDate("$isoWeek", isoWeekOf),
	"$isoWeekYear":    partOperator("$isoWeekYear", isoWeekYearOf),
	"$isoDayOfWeek":   partOfDate("$isoDayOfWeek", localTime.isoWeekday),
	"$hour":           partOfDate("$hour", localTime.hour),
	"$minute":         partOfDate("$minute", localTime.minute),
	"$second":         partOfDate("$second", localTime.second),
	"$millisecond":    partOfDate("$millisecond", func(t localTime) int { return t.milli }),
	"$dateToParts":    {special: compileDateToParts},
	"$dateFromParts":  {special: compileDateFromParts},
	"$dateToString":   {special: compileDateToString},
	"$dateFromString": {special: compileDateFromString},
	"$dateAdd":        {special: compileDateAdd},
	"$dateSubtract":   {special: compileDateAdd},
	"$dateDiff":       {special: compileDateDiff},
	"$dateTrunc":      {special: compileDateTrunc},

	"$strLenCP":     {unary: evalStrLenCP},
	"$strcasecmp":   {binary: evalStrcasecmp},
	"$split":        {binary: evalSplit},
	"$substr":       {special: compileSubstr},
	"$substrBytes":  {nary: evalSubstrBytes, min: 3, max: 3},
	"$substrCP":     {nary: evalSubstrCP, min: 3, max: 3},
	"$indexOfBytes": indexIn("$indexOfBytes", 40091, 40092, false),
	"$indexOfCP":    indexIn("$indexOfCP", 40093, 40094, true),
	"$trim":         trims(strings.Trim),
	"$ltrim":        trims(strings.TrimLeft),
	"$rtrim":        trims(strings.TrimRight),
	"$replaceOne":   replaces(1),
	"$replaceAll":   replaces(-1),
	"$regexMatch":   regexOperator(bsonraw.BoolValue(false), regexMatch),
	"$regexFind":    regexOperator(bsonraw.NullValue, regexFind),
	"$regexFindAll": regexOperator(emptyArray, regexFindAll),
}
