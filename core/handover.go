package recycling

import (
	"net"
	"net/http"
	"sync"

	"github.com/recycling-go/recycling/core/internal/http1"
)

// A handover is a listener whose connections come from us: those that speak what the http.Server alone
// understands, which is HTTP/2.
type handover struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), ended: make(chan struct{})}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.ended) })
	return nil
}

func (h *handover) Addr() net.Addr { return handoverAddr{} }

// ForNetHTTP tells this listener from those that are served here.
func (h *handover) ForNetHTTP() {}

type handoverAddr struct{}

func (handoverAddr) Network() string { return "recycling" }
func (handoverAddr) String() string  { return "recycling" }

// prepare makes the http.Server ready for HTTP/2: it does so when it begins to serve, if only a listener that is
// closed. Its BaseContext must not be called for that, so with one it has to wait.
func (f *fleet) prepare() {
	if f.server.HTTP.BaseContext != nil {
		return
	}
	h := newHandover()
	h.Close()
	f.server.HTTP.Serve(h)
}

// delegate gives c to the http.Server. ahead is what was read of it.
func (f *fleet) delegate(c *http1.Conn, ahead []byte) {
	nc, early, err := c.Detach()
	if err != nil {
		c.End()
		return
	}
	if ahead = append(ahead, early...); len(ahead) > 0 {
		nc = &rereadConn{Conn: nc, ahead: ahead}
	}
	f.mu.Lock()
	h := f.handover
	if h == nil {
		h = newHandover()
		f.handover = h
		go f.serveHandover(h)
	}
	f.mu.Unlock()
	select {
	case h.conns <- nc:
	case <-h.ended:
		nc.Close()
	}
}

// serveHandover ends when the handover is closed, by fleet.unref or by the http.Server's Shutdown or Close.
func (f *fleet) serveHandover(h *handover) {
	if err := f.server.HTTP.Serve(h); err != nil && err != http.ErrServerClosed && err != net.ErrClosed {
		f.http.Logf("recycling: handing over to net/http: %v", err)
	}
	h.Close()
}

// A rereadConn begins with bytes that were read already.
type rereadConn struct {
	net.Conn
	ahead []byte
}

func (c *rereadConn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
