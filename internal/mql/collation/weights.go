package collation

import (
	"sync"

	"golang.org/x/text/collate"
)

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
	pool  sync.Pool // *collators
}

// collators are what one goroutine uses at a time: x/text's are not safe for more.
type collators struct {
	full   *collate.Collator
	buffer collate.Buffer
	text   []byte // with its numbers changed

	// With a case level only.
	before  *collate.Collator // the levels before the case level
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
		c.before = w.collator(min(w.rules.strength, 2))
		c.first = w.collator(1)
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
	c := w.pool.Get().(*collators)
	if w.rules.numeric {
		c.text = appendNumbers(c.text[:0], text)
		text = c.text
	}
	c.buffer.Reset()
	if w.rules.caseLevel {
		dst = c.appendWithCases(dst, text)
	} else {
		dst = append(dst, c.full.Key(&c.buffer, text)...)
	}
	w.pool.Put(c)
	return dst
}

// appendWithCases puts the case level behind the second level, or behind the first where there is no second. The weights without
// the levels behind it are the beginning of those with them.
func (c *collators) appendWithCases(dst, text []byte) []byte {
	n := len(c.before.Key(&c.buffer, text))
	c.buffer.Reset()
	all := c.full.Key(&c.buffer, text)
	dst = append(dst, all[:n]...)
	dst = c.appendCases(dst, text)
	return append(dst, all[n:]...)
}

// scratch is memory for weights that are compared and forgotten.
type scratch struct{ a, b []byte }

type scratchPool struct{ pool sync.Pool }

var scratches scratchPool

func (p *scratchPool) get() *scratch {
	if s, ok := p.pool.Get().(*scratch); ok {
		return s
	}
	return new(scratch)
}

func (p *scratchPool) put(s *scratch) { p.pool.Put(s) }
