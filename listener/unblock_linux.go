package listener

import (
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A guard ends a call of accept4 that blocks. Whether a socket is blocking is a property that all
// processes share which have a descriptor of it, and accept4 has no flag to override it. So another
// process can make a socket blocking between ensureNonblock and accept4, for example one that
// passes the File of a [net.TCPListener] to a function that calls its Fd method. Then accept4 would
// wait for a connection that perhaps the other process accepts, and with it everything that waits
// for its caller.
//
// The guard makes the socket nonblocking again and interrupts the call by a signal. The kernel then
// starts the call anew (SA_RESTART, which the runtime sets for every signal; signal(7)), and that
// one looks at the property again.
type guard struct {
	of     *guards
	active bool // accept4 may be running
	fd     int  // its descriptor, which stays open until leave
	tid    int  // its thread
	calls  uint // so far
	seen   uint // calls at the last look
	armed  bool // timer is going to call look
	timer  *time.Timer
}

// The guards of a listener are as many as it has had calls of accept4 at the same time.
type guards struct {
	mu   sync.Mutex // guards the following, and each guard
	idle []*guard
}

// lookInterval is the time between two looks. A call that has begun before the last one blocks.
// Only calls arm the timer, so that a process that accepts nothing is not woken.
const lookInterval = 10 * time.Millisecond

// enter is called before accept4, on the same thread.
func (all *guards) enter(fd int) *guard {
	runtime.LockOSThread()
	all.mu.Lock()
	defer all.mu.Unlock()
	var g *guard
	if n := len(all.idle); n > 0 {
		g = all.idle[n-1]
		all.idle = all.idle[:n-1]
	} else {
		g = &guard{of: all}
		g.timer = time.AfterFunc(lookInterval, g.look)
		g.armed = true
	}
	g.active, g.fd, g.tid = true, fd, unix.Gettid()
	g.calls++
	if !g.armed {
		g.armed = true
		g.timer.Reset(lookInterval)
	}
	return g
}

// leave is called after accept4.
func (g *guard) leave() {
	g.of.mu.Lock()
	g.active = false
	g.of.idle = append(g.of.idle, g)
	g.of.mu.Unlock()
	runtime.UnlockOSThread()
}

func (g *guard) look() {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	blocked := g.active && g.calls == g.seen
	if blocked {
		ensureNonblock(g.fd)
		// Programs have to expect this signal at any time: the runtime sends it to preempt goroutines.
		unix.Tgkill(os.Getpid(), g.tid, unix.SIGURG)
	}
	g.armed = blocked || g.calls != g.seen
	if g.armed {
		g.timer.Reset(lookInterval)
	}
	g.seen = g.calls
}
