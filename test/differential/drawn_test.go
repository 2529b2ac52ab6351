package differential

import (
	"regexp"
	"strings"
	"testing"
)

// everyName is what histories must have among them, by how it looks in their text. A change of the generator that loses one of these fails.
var everyName = strings.Fields(`
	$numberInt $numberLong $numberDouble $numberDecimal $undefined $minKey $maxKey $regularExpression $code $scope $binary $oid $date $timestamp $symbol $dbPointer
	$eq $ne $gt $gte $lt $lte $in $nin $exists $type $size $all $elemMatch $mod $regex $options $not $and $or $nor $expr $jsonSchema
	$bitsAllSet $bitsAnySet $bitsAllClear $bitsAnyClear
	$set $unset $inc $mul $min $max $rename $push $each $position $slice $sort $addToSet $pop $pull $pullAll $bit and or xor $setOnInsert $currentDate
	.$[] .$[x] .$ arrayFilters upsert multi ordered let hint collation bypassDocumentValidation
	remove new fields sort projection skip limit min max returnKey
	unique sparse hidden partialFilterExpression wildcardProjection $** hashed -1
	locale strength caseLevel numericOrdering simple fr_CA
	$match $project $limit $skip $unwind $lookup localField pipeline $unionWith $documents $facet $bucket $bucketAuto $sortByCount $group $redact $replaceRoot $replaceWith
	$count $out $merge whenMatched whenNotMatched
	$sum $avg $first $last $stdDevPop $firstN $lastN $minN $maxN $top $topN $bottom $bottomN $mergeObjects
	insert update delete findAndModify find count distinct aggregate create createIndexes dropIndexes collMod listIndexes drop
	validator validationLevel validationAction viewOn capped
	startTransaction commitTransaction abortTransaction watch events resume
`)

var namePattern = regexp.MustCompile(`[$.A-Za-z_*\[\]-]+\d?`)

// TestDrawn holds the generator to draw everything that it knows, and tells with -v how often.
func TestDrawn(t *testing.T) {
	t.Parallel()
	const histories = 300
	counts := map[string]int{}
	for seed := range uint64(histories) {
		for _, s := range drawHistory(seed).steps {
			counts[s.verb]++
			for _, name := range namePattern.FindAllString(s.text(), -1) {
				counts[name]++
				if at := strings.LastIndex(name, ".$"); at >= 0 {
					counts[name[at:]]++
				}
			}
		}
	}
	for _, name := range everyName {
		if counts[name] == 0 {
			t.Errorf("%s is not drawn", name)
		}
		t.Logf("%s: %.2f in a history", name, float64(counts[name])/histories)
	}
}

func TestASeedIsAHistory(t *testing.T) {
	t.Parallel()
	if a, b := drawHistory(7).text(), drawHistory(7).text(); a != b {
		t.Errorf("a seed gives two histories:\n%s\n%s", a, b)
	}
}
