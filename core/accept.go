package recycling

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
)

// askInterval is how often a listener is asked whether somebody has closed it, if it cannot tell.
const askInterval = 100 * time.Millisecond

// acceptRaw leaves accepting to the workers, and waits for the end.
func (f *fleet) acceptRaw(raw *listener.Raw, l net.Listener, shut func(), crews []crew, base *http1.Base) error {
	defer func() {
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
	defer shut() // closeAtStop may still be at it
	ended := make(chan struct{})
	defer close(ended)
	go f.closeAtStop(shut, ended)
	var pause time.Duration
	for n := 0; ; n++ {
		nc, err := l.Accept()
		if err != nil {
			select {
			case <-f.stop:
				return http.ErrServerClosed
			default:
			}
			//lint:ignore SA1019 net/http asks for it too
			if ne, ok := err.(net.Error); ok && ne.Temporary() {
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				f.http.Logf("http: Accept error: %v; retrying in %v", err, pause)
				select {
				case <-f.stop:
				case <-time.After(pause):
				}
				continue
			}
			return err
		}
		pause = 0
		w := crews[n%len(crews)]
		c := f.newConn(base, w)
		w.conns().Add(&c.Conn, nc)
		if c.Announce() != nil {
			c.End()
			continue
		}
		if !w.push(&c.Conn) {
			f.shed.Add(1)
			c.Shed()
		}
	}
}

// closeAtStop, by closing the listener, makes Accept return when the fleet comes to its end.
func (f *fleet) closeAtStop(shut func(), ended <-chan struct{}) {
	select {
	case <-f.stop:
		shut()
	case <-ended:
	}
}
