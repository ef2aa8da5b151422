package systemd

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	recycling "github.com/recycling-go/recycling/core"
)

// Notify is an option for a Server. It makes the Server tell systemd when its first listener is
// about to accept, that it works, and when it is shut down; the package comment says how. It works
// with [recycling.New], [recycling.Use], and everything that takes options:
//
//	recycling.Use(srv, systemd.Notify)
//	recyclingecho.Use(e, systemd.Notify)
//
// Notify replaces the hook BaseContext of s.HTTP by a function that calls it, so it must come after
// an option that sets HTTP. If the variables for WATCHDOG=1 in the environment are invalid, the
// error is logged.
func Notify(s *recycling.Server) { newNotifier(s, 1, nil) }

// NotifyWhile returns an option like [Notify] that sends WATCHDOG=1 only while works returns nil as
// well. It is called twice in each interval of the watchdog, if there is one, and must return
// before the next call. If it blocks, WATCHDOG=1 is not sent.
func NotifyWhile(works func() error) recycling.Option {
	return func(s *recycling.Server) { newNotifier(s, 1, works) }
}

// A notifier tells systemd the state of a Server.
type notifier struct {
	s     *recycling.Server
	works func() error  // of the application; nil if it has none
	every time.Duration // between two WATCHDOG=1; zero if systemd does not want any
	over  chan struct{}
	end   sync.Once
	stop  sync.Once
	alive sync.WaitGroup // the watchdog

	mu        sync.Mutex // guards the following
	awaited   int        // listeners until READY=1
	listeners []net.Listener
}

// newNotifier sets the hooks of s, so that READY=1 is sent once awaited listeners are served.
func newNotifier(s *recycling.Server, awaited int, works func() error) *notifier {
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	n := &notifier{s: s, works: works, awaited: awaited, over: make(chan struct{})}
	interval, err := watchdogInterval()
	if err != nil {
		n.log().Error("systemd: there will be no WATCHDOG=1", "err", err)
	}
	n.every = interval / 2
	base := s.HTTP.BaseContext
	s.HTTP.BaseContext = func(l net.Listener) context.Context {
		n.serving(l)
		if base == nil {
			return context.Background()
		}
		return base(l)
	}
	s.HTTP.RegisterOnShutdown(n.ended)
	return n
}

// serving notes that l is about to accept. When all awaited listeners are, it sends READY=1 and
// starts the watchdog.
func (n *notifier) serving(l net.Listener) {
	n.mu.Lock()
	n.listeners = append(n.listeners, l)
	n.awaited--
	ready := n.awaited == 0
	n.mu.Unlock()
	if !ready {
		return
	}
	n.send(daemon.SdNotifyReady)
	if n.every > 0 {
		n.alive.Add(1)
		go n.watch(max(n.every, time.Millisecond))
	}
}

// stopping sends STOPPING=1 once. When a call returns, it has been sent, by that call or another.
func (n *notifier) stopping() {
	n.stop.Do(func() { n.send(daemon.SdNotifyStopping) })
}

// ended sends STOPPING=1, and ends the watchdog.
func (n *notifier) ended() {
	n.stopping()
	n.end.Do(func() { close(n.over) })
}

func (n *notifier) send(state string) {
	if err := Send(state); err != nil {
		n.log().Error("systemd: cannot send", "state", state, "err", err)
	}
}

func (n *notifier) log() *slog.Logger {
	if n.s.Log != nil {
		return n.s.Log
	}
	return slog.Default()
}
