package park

import (
	"math"
	"runtime"
)

// A goroutine that a handler left behind with the body may read or write while the worker closes
// the connection, gives it away, or makes a net.Conn of it. Afterwards the descriptor number may be
// reused. So use counts each operation on the descriptor, and retire waits for the count to drop
// before the descriptor is freed; no operation takes long.

// retiring is added to Conn.uses when the descriptor is about to be freed.
const retiring = math.MinInt32 / 2

// bare reports whether c is a bare descriptor at the moment.
func (c *Conn) bare() bool { return c.uses.Load() >= 0 }

// use reports whether c is a bare descriptor, and if so keeps it one until unuse. Nothing that
// waits may run in between.
func (c *Conn) use() bool {
	if c.uses.Add(1) > 0 {
		return true
	}
	c.uses.Add(-1)
	return false
}

func (c *Conn) unuse() { c.uses.Add(-1) }

// retire makes c no longer a bare descriptor, and waits until nothing uses the descriptor.
func (c *Conn) retire() {
	c.uses.Add(retiring)
	for c.uses.Load() > retiring {
		runtime.Gosched()
	}
}
