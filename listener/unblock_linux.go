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
	mu     sync.Mutex
	active bool // accept4 may be running
	fd     int  // its descriptor, which stays open until leave
	tid    int  // its thread
	calls  uint // so far
	seen   uint // calls at the last look
	armed  bool // timer is going to call look
	timer  *time.Timer
}

// lookInterval is the time between two looks. A call that has begun before the last one blocks.
// Only calls arm the timer, so that a process that accepts nothing is not woken.
const lookInterval = 10 * time.Millisecond

var guards = sync.Pool{New: func() any {
	g := new(guard)
	g.timer = time.AfterFunc(time.Hour, g.look)
	g.timer.Stop()
	return g
}}

// enter is called before accept4, on the same thread.
func enter(fd int) *guard {
	runtime.LockOSThread()
	g := guards.Get().(*guard)
	g.mu.Lock()
	g.active, g.fd, g.tid = true, fd, unix.Gettid()
	g.calls++
	if !g.armed {
		g.armed = true
		g.timer.Reset(lookInterval)
	}
	g.mu.Unlock()
	return g
}

// leave is called after accept4.
func (g *guard) leave() {
	g.mu.Lock()
	g.active = false
	g.mu.Unlock()
	guards.Put(g)
	runtime.UnlockOSThread()
}

func (g *guard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
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
