package listener

import (
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A guard ends a call of accept4 that blocks. A socket is blocking or nonblocking for all processes
// that share it, and accept4 has no flag to choose for one call. So another process may make a
// socket blocking between ensureNonblock and accept4: for example, it passes the File of a
// [net.TCPListener] to a function that calls Fd. Then accept4 would wait for a connection, which
// the other process may accept, and its caller and all that need the caller would wait too.
//
// The guard makes the socket nonblocking again and sends the thread a signal, which interrupts the
// call. The kernel then starts the call again (SA_RESTART, which the runtime sets for every signal;
// signal(7)), and this time it does not block.
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

// The guards of a listener: one for each call of accept4, which later calls use again.
type guards struct {
	mu   sync.Mutex // guards the following, and each guard
	idle []*guard
}

// lookInterval is the time between two looks. A call that has lasted from one look to the next is
// taken to block. Only calls arm the timer, so a process that accepts nothing is not woken.
const lookInterval = 10 * time.Millisecond

// enter is called before accept4, on the same thread.
func (gs *guards) enter(fd int) *guard {
	runtime.LockOSThread()
	gs.mu.Lock()
	defer gs.mu.Unlock()
	var g *guard
	if n := len(gs.idle); n > 0 {
		g = gs.idle[n-1]
		gs.idle = gs.idle[:n-1]
	} else {
		g = &guard{of: gs}
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
		// Programs have to expect this signal: the runtime sends it to preempt goroutines.
		unix.Tgkill(os.Getpid(), g.tid, unix.SIGURG)
	}
	g.armed = blocked || g.calls != g.seen
	if g.armed {
		g.timer.Reset(lookInterval)
	}
	g.seen = g.calls
}
