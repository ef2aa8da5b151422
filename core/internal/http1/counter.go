package http1

import "sync/atomic"

// counterParts is the number of parts of a Counter. With more shards, some of them share a part.
const counterParts = 32

// A Counter counts what happens in all shards. Each shard writes its own part only, which has a
// cache line of its own: all processors would wait for a variable that each request changes.
type Counter struct {
	_     [64]byte
	parts [counterParts]struct {
		n atomic.Int64
		_ [56]byte
	}
}

// Add adds n to the part of a shard.
func (c *Counter) Add(shard uint8, n int64) { c.parts[shard%counterParts].n.Add(n) }

// Of returns the part of a shard.
func (c *Counter) Of(shard uint8) int64 { return c.parts[shard%counterParts].n.Load() }

// Total returns the sum of all parts. It does not decrease if no number added is negative.
func (c *Counter) Total() (n int64) {
	for i := range c.parts {
		n += c.parts[i].n.Load()
	}
	return n
}
