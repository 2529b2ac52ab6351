package collation

import (
	"bytes"
	"sync"
	"sync/atomic"

	"golang.org/x/text/collate"
)

// levelsBeforeCase is how many levels stand before the case level, where there are as many.
const levelsBeforeCase = 2

// rules are what weights depend on.
type rules struct {
	locale    string // a key of locales
	strength  int    // 1 to 3
	caseLevel bool
	numeric   bool
	backwards bool
}

// weigher turns texts into weights. It may be used concurrently.
type weigher struct {
	rules rules
	// Those that nobody uses. They take long to make, so one of them stays when the pool gives up what it holds.
	one  atomic.Pointer[collators]
	pool sync.Pool // *collators, the others
}

func (w *weigher) take() *collators {
	if c := w.one.Swap(nil); c != nil {
		return c
	}
	return w.pool.Get().(*collators)
}

func (w *weigher) giveBack(c *collators) {
	if !w.one.CompareAndSwap(nil, c) {
		w.pool.Put(c)
	}
}

// collators are what one goroutine uses at a time: x/text's are not safe for more.
type collators struct {
	full   *collate.Collator
	buffer collate.Buffer
	text   []byte // with its numbers changed
	a, b   []byte // weights that are compared and forgotten

	// With a case level only.
	before  *collate.Collator // the levels before the case level, nil if there are none behind it
	first   *collate.Collator // the first level alone
	single  collate.Buffer
	segment []byte
}

// weighers keeps what was made. There are no more than there are rules of known locales.
var weighers sync.Map // rules to *weigher

func weigherOf(r rules) *weigher {
	if w, ok := weighers.Load(r); ok {
		return w.(*weigher)
	}
	w := &weigher{rules: r}
	w.pool.New = func() any { return w.newCollators() }
	kept, _ := weighers.LoadOrStore(r, w)
	return kept.(*weigher)
}

func (w *weigher) newCollators() *collators {
	c := &collators{full: w.collator(w.rules.strength)}
	if w.rules.caseLevel {
		c.first = w.collator(1)
		if w.rules.strength > levelsBeforeCase {
			c.before = w.collator(levelsBeforeCase)
		}
	}
	return c
}

// collator makes a collator of a strength. Levels are chosen with the keywords of BCP 47, the only way to some of them.
func (w *weigher) collator(strength int) *collate.Collator {
	locale := locales[w.rules.locale]
	tag, err := locale.SetTypeForKey("ks", [...]string{1: "level1", 2: "level2", 3: "level3"}[strength])
	if err == nil && w.rules.backwards {
		tag, err = tag.SetTypeForKey("kb", "true")
	}
	if err != nil {
		panic("collation: the keywords of " + w.rules.locale + ": " + err.Error()) // keys and values are constants
	}
	options := []collate.Option{collate.OptionsFromTag(tag)}
	if w.rules.numeric {
		options = append(options, collate.Numeric)
	}
	return collate.New(locale, options...)
}

// append appends the weights of text: those of the first level, then those of the second, and so on.
func (w *weigher) append(dst, text []byte) []byte {
	c := w.take()
	dst = w.appendBy(c, dst, text)
	w.giveBack(c)
	return dst
}

// compare compares the weights of two texts.
func (w *weigher) compare(a, b []byte) int {
	c := w.take()
	c.a, c.b = w.appendBy(c, c.a[:0], a), w.appendBy(c, c.b[:0], b)
	order := bytes.Compare(c.a, c.b)
	w.giveBack(c)
	return order
}

// compareTo compares the weights of a text with others.
func (w *weigher) compareTo(text, weights []byte) int {
	c := w.take()
	c.a = w.appendBy(c, c.a[:0], text)
	order := bytes.Compare(c.a, weights)
	w.giveBack(c)
	return order
}

func (w *weigher) appendBy(c *collators, dst, text []byte) []byte {
	if w.rules.numeric {
		c.text = appendNumbers(c.text[:0], text)
		text = c.text
	}
	c.buffer.Reset()
	if w.rules.caseLevel {
		return c.appendWithCases(dst, text)
	}
	return append(dst, c.full.Key(&c.buffer, text)...)
}

// appendWithCases puts the case level behind the second level, or behind the first where there is no second. The weights without
// the levels behind it are the beginning of those with them.
func (c *collators) appendWithCases(dst, text []byte) []byte {
	all := c.full.Key(&c.buffer, text)
	n := len(all)
	if c.before != nil {
		n = len(c.before.Key(&c.buffer, text))
	}
	dst = append(dst, all[:n]...)
	dst = c.appendCases(dst, text)
	return append(dst, all[n:]...)
}
