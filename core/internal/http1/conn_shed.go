package http1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// Shed refuses a connection with an error response, because there is no worker or no room for it.
// It waits neither for the client nor for the application. The caller owns c, and gives up
// ownership.
//
// Shed reports whether c was refused. It is not if the client has left, if the connection is idle,
// or if its request is for Limits.HealthPath and a worker in reserve serves it. For a connection
// that does not park, Shed only reports whether it is not between requests.
//
// A client that has not completed its TLS handshake cannot be sent a response.
func (c *Conn) Shed() (refused bool) {
	if !c.Parks() || c.Direct() {
		refused = c.phase != keptAlive
		c.srv.background(c.shedInBackground)
		return refused
	}
	return c.shedWaiting()
}

// shedInBackground is Shed for a connection that does not park. Its net.Conn may be the
// application's, which may wait and panic.
func (c *Conn) shedInBackground() {
	returned := false
	defer func() {
		if !returned {
			c.Panicked(recover())
		}
	}()
	c.shedWaiting()
	returned = true
}

// shedWaiting is Shed, but may wait if c does not park.
func (c *Conn) shedWaiting() (refused bool) {
	c.tryProxyHeader() // only to find out whether a health check follows
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	sent, err := c.readSent(buf)
	return c.shed(sent, err)
}

// ShedRequest is Shed for want of a worker. A new connection that has sent nothing does not need a
// worker, and is parked.
func (c *Conn) ShedRequest() (refused bool) {
	if c.phase == lingering {
		c.EndInBackground() // it has already received its response
		return false
	}
	if !c.Parks() || c.Direct() {
		return c.Shed()
	}
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	for {
		if gone, err := c.passProxyHeader(); gone {
			return false
		} else if err != nil {
			return c.shed(nil, err)
		}
		sent, err := c.readSent(buf)
		if err != park.ErrWait || len(sent) > 0 || c.phase != fresh {
			return c.shed(sent, err)
		}
		if c.parkUnowned(true) {
			return false
		}
	}
}

func (c *Conn) shed(sent []byte, err error) (refused bool) {
	if err != nil && err != park.ErrWait || len(sent) == 0 && c.phase == keptAlive {
		c.EndInBackground()
		return err == errNoHandshake
	}
	// Any other connection could keep a worker in reserve waiting.
	if c.Parks() && len(sent) < copyBufferSize && c.srv.matchHealthCheck(sent) == isHealthCheck {
		c.pending = append([]byte(nil), sent...)
		if c.reserveRefused() {
			return false
		}
	}
	if c.needsHandshake() {
		c.EndInBackground()
		return true
	}
	c.writeFinal(c.srv.refusal())
	if bytes.HasSuffix(sent, []byte("\r\n\r\n")) {
		// The client has sent its whole request, so that closing does not reset the connection
		// before the client has read the response.
		c.EndInBackground()
		return true
	}
	told, err := c.closeHalf()
	if err != nil || !c.mayLinger() {
		c.EndInBackground()
		return true
	}
	c.lingerAlone(told)
	return true
}

// ShedNow is Shed for a connection whose descriptor is needed at once.
func (c *Conn) ShedNow() {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	if _, err := c.readSent(buf); (err == nil || err == park.ErrWait) && !c.needsHandshake() {
		c.writeFinal(c.srv.refusal())
	}
	c.EndInBackground()
}

// errNoHandshake is returned by readSent for a connection that cannot be sent a response before
// its TLS handshake.
var errNoHandshake = errors.New("no TLS handshake")

// readSent returns what c has sent so far, as far as that is known without waiting and fits into
// buf. The error is park.ErrWait if there is nothing more to read. Any other error says that c
// cannot be sent a response.
func (c *Conn) readSent(buf []byte) (sent []byte, err error) {
	switch {
	case !c.Parks() && c.overTLS() && c.tls == nil:
		return nil, errNoHandshake
	case !c.Parks():
		return c.pending, nil
	case c.needsHandshake():
		n, err := c.TryReadWire(buf)
		if n > 0 {
			err = errNoHandshake
		}
		return nil, err
	}
	n := copy(buf[:len(buf)-1], c.pending) // reading into an empty buffer would look like EOF
	more, err := c.TryRead(buf[n:])
	return buf[:n+more], err
}

// writeFinal writes b, the last output on c.
func (c *Conn) writeFinal(b []byte) {
	if c.Parks() {
		c.WriteLast(b)
		return
	}
	c.SetWriteDeadline(time.Now().Add(lingerTime))
	c.Write(b)
}

// MarkRefused records that c is going to be shed, and no longer takes the room of others. The
// caller owns c.
func (c *Conn) MarkRefused() {
	if !c.Refused {
		c.Refused = true
		c.srv.Refused.Add(1)
	}
}

// reserveRefused is reserve for a connection that may be marked as refused. If a worker in reserve
// serves it, it is not refused after all.
func (c *Conn) reserveRefused() bool {
	refused := c.Refused
	if refused { // before the worker owns c
		c.Refused = false
		c.srv.Refused.Add(-1)
	}
	if c.reserve() {
		return true
	}
	if refused {
		c.MarkRefused()
	}
	return false
}

// maxLingering is how many shed connections may linger. Further ones are closed at once.
const maxLingering = 1 << 10

// mayLinger reports whether c may linger, and counts it: see Conn.Lingers.
func (c *Conn) mayLinger() bool {
	if c.srv.Lingering.Add(1) > maxLingering {
		c.srv.Lingering.Add(-1)
		return false
	}
	c.Lingers = true
	c.MarkRefused()
	c.clearNoHeaderYet()
	return true
}

// overTLS reports whether c is a TLS connection, even before its handshake.
func (c *Conn) overTLS() bool {
	if c.Parks() {
		return c.listener.TLS != nil
	}
	nc, _ := c.NetConn()
	_, ok := nc.(*tls.Conn)
	return ok
}

// Prepare has the Refuse handler write the response that shed connections get. It must be called
// before anything is served, and may be called again: the code that sheds connections can neither
// wait for a handler nor survive its panic.
func (s *Server) Prepare() {
	s.refuseOnce.Do(func() {
		a := newCannedResponse()
		a.header.Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(a, "503 Service Unavailable\n")
		s.refuseHead, s.refuseRest = a.wire()
		if s.Refuse == nil {
			return
		}
		handled := make(chan struct{})
		go s.callRefuse(handled)
		<-handled
	})
}

// callRefuse calls Refuse on a goroutine of its own, because the handler may call runtime.Goexit.
func (s *Server) callRefuse(done chan<- struct{}) {
	defer close(done)
	defer func() {
		if v := recover(); v != nil {
			s.Logf("http: panic in Server.Shed; using the default response: %v\n%s", v, debug.Stack())
		}
	}()
	a := newCannedResponse()
	r, _ := http.NewRequest("GET", "/", nil)
	r.RequestURI = "/"
	s.Refuse.ServeHTTP(a, r)
	s.refuseHead, s.refuseRest = a.wire()
}

// refusal returns the response that Shed writes.
func (s *Server) refusal() []byte {
	b := append(make([]byte, 0, len(s.refuseHead)+len(s.refuseRest)+64), s.refuseHead...)
	return append(appendDate(b), s.refuseRest...)
}

// A cannedResponse is a ResponseWriter that stores the response.
type cannedResponse struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func newCannedResponse() *cannedResponse {
	return &cannedResponse{header: http.Header{"Retry-After": {"1"}}, status: http.StatusServiceUnavailable}
}

func (a *cannedResponse) Header() http.Header { return a.header }

func (a *cannedResponse) WriteHeader(status int) {
	if !a.wrote && status >= 200 {
		a.wrote, a.status = true, status
	}
}

func (a *cannedResponse) Write(p []byte) (int, error) {
	a.wrote = true
	return a.body.Write(p)
}

// wire returns the response as it is sent, in two parts between which a Date is inserted.
func (a *cannedResponse) wire() (head, rest []byte) {
	for _, name := range []string{"Date", "Transfer-Encoding", "Trailer"} {
		a.header.Del(name)
	}
	a.header.Set("Connection", "close")
	a.header.Set("Content-Length", strconv.Itoa(a.body.Len()))
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", a.status, http.StatusText(a.status))
	a.header.Write(&b)
	return b.Bytes(), append([]byte("\r\n"), a.body.Bytes()...)
}
