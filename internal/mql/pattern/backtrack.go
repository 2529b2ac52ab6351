package pattern

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// Limit is how long a search with the engine that backtracks may take, roughly.
const Limit = time.Second

// maxStack bounds the memory of such a search, in words.
const maxStack = 1 << 20

// compileBacktracking compiles a pattern for the engine that backtracks.
func compileBacktracking(pattern, options string) (*regexp2.Regexp, *translator, error) {
	// The groups are counted first, because references may come before them.
	count := newTranslator(pattern, options)
	count.back = true
	if _, err := count.translate(); err != nil {
		return nil, nil, err
	}
	t := newTranslator(pattern, options)
	t.back, t.all, t.names, t.parens = true, max(count.captured, 1), count.names, count.captured
	translated, err := t.translate()
	if err != nil {
		return nil, nil, err
	}
	if t.last > count.captured {
		return nil, nil, errNoSuchGroup
	}
	re, err := regexp2.Compile(translated, regexp2.OptionMaxBacktrackingStackSize(maxStack))
	if err != nil {
		return nil, nil, err
	}
	re.MatchTimeout = Limit
	return re, t, nil
}

// backtrackingMatcher finds nothing where the search takes too long, as MongoDB's.
type backtrackingMatcher struct{ re *regexp2.Regexp }

func (m backtrackingMatcher) Match(text []byte) bool {
	clock.used.Store(true)
	ok, err := m.re.MatchString(string(text))
	return ok && err == nil
}

// ErrLimit is the error of a search that takes too long.
var ErrLimit = errors.New("the search for the regular expression took too long")

// clock is about the goroutine with which the engine that backtracks measures time. It ends by itself some time after it was
// needed last; who must not leave it behind holds it while there may be searches.
var clock struct {
	mu   sync.Mutex
	n    int
	used atomic.Bool
}

// Hold says that somebody searches until Release is called. With the last one who releases ends what searches run beside them.
func Hold() {
	clock.mu.Lock()
	defer clock.mu.Unlock()
	clock.n++
}

// Release ends Hold.
func Release() {
	clock.mu.Lock()
	defer clock.mu.Unlock()
	if clock.n--; clock.n == 0 && clock.used.Swap(false) {
		regexp2.StopTimeoutClock()
	}
}
