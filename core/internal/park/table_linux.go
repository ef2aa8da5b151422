//go:build linux && !recycling_nopark

package park

import "sync/atomic"

// A table finds connections by descriptor. Descriptors are small and dense, so it is an array of
// chunks, each allocated on first use and then kept. Reading and writing need no lock.
type table struct {
	chunks [1 << 12]atomic.Pointer[chunk]
}

const chunkSize = 1 << 12

type chunk [chunkSize]atomic.Pointer[Conn]

func (t *table) get(fd int) *Conn {
	if k := t.chunks[fd/chunkSize].Load(); k != nil {
		return k[fd%chunkSize].Load()
	}
	return nil
}

func (t *table) set(fd int, c *Conn) {
	p := &t.chunks[fd/chunkSize]
	k := p.Load()
	if k == nil {
		k = new(chunk)
		if !p.CompareAndSwap(nil, k) {
			k = p.Load()
		}
	}
	k[fd%chunkSize].Store(c)
}

// clear removes c, unless its slot is already another connection's.
func (t *table) clear(fd int, c *Conn) {
	t.chunks[fd/chunkSize].Load()[fd%chunkSize].CompareAndSwap(c, nil)
}

func (t *table) each(f func(*Conn)) {
	for i := range t.chunks {
		k := t.chunks[i].Load()
		if k == nil {
			continue
		}
		for j := range k {
			if c := k[j].Load(); c != nil {
				f(c)
			}
		}
	}
}
