package store

import "sync"

// Memo keeps what somebody outside of the store makes of a collection's options, once for each version of them.
type Memo struct {
	once  sync.Once
	value any
}

// Do returns what build gave, which is called the first time.
func (m *Memo) Do(build func() any) any {
	m.once.Do(func() { m.value = build() })
	return m.value
}
