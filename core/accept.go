package recycling

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
)

// askInterval is how often a listener is asked whether somebody has closed it, if it cannot tell.
const askInterval = 25 * time.Millisecond

// stragglerTime is how long accepting goes on when the server is shut down: what a client has sent before that may
// still be on its way through a busy kernel, and is reset if it finds no listener.
const stragglerTime = 10 * time.Millisecond

func (f *fleet) awaitStragglers() {
	select {
	case <-f.stop:
		if !f.hasty.Load() {
			time.Sleep(stragglerTime)
		}
	default:
	}
}

// acceptRaw leaves accepting to the workers, and waits for the end.
func (f *fleet) acceptRaw(raw *listener.Raw, l net.Listener, shut func(), crews []crew, base *http1.Base) error {
	defer func() {
		raw.AcceptSilent()
		f.awaitStragglers()
		for _, w := range crews {
			for _, c := range w.conns().Unlisten(raw) {
				w.push(c)
			}
		}
		shut()
	}()
	for _, w := range crews {
		newConn := func() *park.Conn { return &f.newConn(base, w).Conn }
		if err := w.conns().Listen(raw, len(crews) > 1, newConn); err != nil {
			return f.acceptError(l, err)
		}
	}
	var ask <-chan time.Time
	if raw.Closed() == nil {
		t := time.NewTicker(askInterval)
		defer t.Stop()
		ask = t.C
	}
	for {
		select {
		case <-f.stop:
			return http.ErrServerClosed
		case <-raw.Closed():
			return f.acceptError(l, net.ErrClosed)
		case <-ask:
			if err := raw.Control(func(int) {}); err != nil {
				return f.acceptError(l, err)
			}
		}
	}
}

// acceptError is what Serve returns when l has failed.
func (f *fleet) acceptError(l net.Listener, err error) error {
	select {
	case <-f.stop:
		return http.ErrServerClosed
	default:
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return err
	}
	return &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
}

// acceptEach accepts one connection after the other and gives them to the crews.
func (f *fleet) acceptEach(l net.Listener, shut func(), crews []crew, base *http1.Base) error {
	n := 0
	receive := func(nc net.Conn) {
		f.receive(nc, crews[n%len(crews)], base)
		n++
	}
	var rest []net.Conn
	closeListener := shut
	shut = sync.OnceFunc(func() {
		rest = acceptRest(l)
		closeListener()
	})
	ended := make(chan struct{})
	defer func() {
		shut() // closeAtStop may still be at it
		for _, nc := range rest {
			receive(nc)
		}
		close(ended)
	}()
	go f.closeAtStop(shut, ended)
	var pause time.Duration
	var logged park.Ration
	for {
		for f.door.shut() {
			if !f.pause(park.FullPause) {
				return http.ErrServerClosed
			}
		}
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			receive(nc)
			continue
		}
		select {
		case <-f.stop:
			return http.ErrServerClosed
		default:
		}
		if !passes(err) {
			return err
		}
		pause = park.NextPause(pause)
		if logged.Take() {
			f.http.Logf("http: Accept error: %v; retrying in %v", err, pause)
		}
		f.pause(pause)
	}
}

// pause waits, and reports whether serving goes on.
func (f *fleet) pause(d time.Duration) bool {
	select {
	case <-f.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// passes reports whether accepting may work again after err: what net/http calls temporary, and whatever the system says of
// one connection or of its own want of memory and descriptors (accept(2)), but not that the listener is no more.
func passes(err error) bool {
	//lint:ignore SA1019 net/http asks for it too
	if ne, ok := err.(net.Error); ok && ne.Temporary() {
		return true
	}
	var errno syscall.Errno
	if errors.Is(err, net.ErrClosed) || !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK, syscall.EOPNOTSUPP, syscall.EFAULT:
		return false
	}
	return true
}

// receive gives a connection to a crew.
func (f *fleet) receive(nc net.Conn, w crew, base *http1.Base) {
	c := f.newConn(base, w)
	w.conns().Add(&c.Conn, nc)
	if c.Announce() != nil {
		c.End()
		return
	}
	switch {
	case f.http.Enter != nil: // for a worker to ask: RemoteAddr may wait for the client
		f.door.unknown.Add(1)
		c.Standing = unknown
		w.offer(&c.Conn)
	case f.door.enter(c):
		w.offer(&c.Conn)
	}
}

// acceptRest takes the connections that wait to be accepted: the kernel resets them when their listener is closed. Of
// a listener that is no socket it takes none.
func acceptRest(l net.Listener) (all []net.Conn) {
	raw, ok := listener.NewRaw(l)
	if !ok {
		return nil
	}
	var a listener.Addr
	for {
		fd, err := raw.Accept(&a)
		if err != nil {
			return all
		}
		file := os.NewFile(uintptr(fd), "connection")
		nc, err := net.FileConn(file)
		file.Close()
		if err == nil {
			all = append(all, nc)
		}
	}
}

// closeAtStop, by closing the listener, makes Accept return when the fleet comes to its end.
func (f *fleet) closeAtStop(shut func(), ended <-chan struct{}) {
	select {
	case <-f.stop:
		f.awaitStragglers()
		shut()
	case <-ended:
	}
}
