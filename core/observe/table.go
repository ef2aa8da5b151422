package observe

import (
	"maps"
	"sync"
	"sync/atomic"
)

// A table holds a value for each key, of which there are few. Reading it takes no lock. The zero
// value is empty.
type table[K comparable, V any] struct {
	all    atomic.Pointer[map[K]*V] // copied for each new key; nil if there are none
	adding sync.Mutex               // held while a key is added
}

// read returns all values. The map must not be changed.
func (t *table[K, V]) read() map[K]*V {
	if all := t.all.Load(); all != nil {
		return *all
	}
	return nil
}

// get returns the value for k, or nil.
func (t *table[K, V]) get(k K) *V { return t.read()[k] }

// add returns the value for k, which it creates if there is none. If there are already as many keys
// as most, it uses the key other instead.
func (t *table[K, V]) add(k K, most int, other K, create func() *V) *V {
	t.adding.Lock()
	defer t.adding.Unlock()
	all := t.read()
	if all[k] == nil && len(all) >= most {
		k = other
	}
	if v := all[k]; v != nil {
		return v
	}
	v := create()
	all = maps.Clone(all)
	if all == nil {
		all = map[K]*V{}
	}
	all[k] = v
	t.all.Store(&all)
	return v
}
