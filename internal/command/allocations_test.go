//go:build !race

package command

import "testing"

func TestAllocationsOfInserts(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	for _, test := range []struct {
		documents int
		most      float64
	}{
		{1, 7},
		{1000, 270},
	} {
		insert := newLoader(t).inserts(test.documents, 250)
		insert() // makes the collection
		if n := testing.AllocsPerRun(100, insert); n > test.most {
			t.Errorf("an insert of %d documents allocates %v times, want at most %v", test.documents, n, test.most)
		}
	}
}

func TestAllocationsOfTransactions(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	l := newLoader(t)
	l.inserts(1, 250)()
	const most = 120
	if n := testing.AllocsPerRun(100, l.transaction(10)); n > most {
		t.Errorf("a transaction of ten inserts allocates %v times, want at most %v", n, most)
	}
}

func TestAllocationsOfFinds(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	l := newLoader(t)
	l.inserts(1000, 250)()
	const most = 1
	if n := testing.AllocsPerRun(100, l.find(1)); n > most {
		t.Errorf("a find by _id allocates %v times, want at most %v", n, most)
	}
}

func TestAllocationsOfUpdates(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	l := newLoader(t)
	l.inserts(1000, 250)()
	const most = 17
	if n := testing.AllocsPerRun(100, l.update(1)); n > most {
		t.Errorf("an update by _id allocates %v times, want at most %v", n, most)
	}
}
