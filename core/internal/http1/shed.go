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

// Shed refuses a connection for want of a worker or of room, by an answer. It does not wait for the client, unless c does
// not park. The caller has c, and does not have it any more afterwards. It reports whether c was refused: it may have
// left by itself, or be at its end anyway, and a request for HealthPath is served by a worker in reserve.
//
// A client that has yet to shake hands for TLS cannot be told.
func (c *Conn) Shed() (refused bool) {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	sent, err := c.asked(buf)
	return c.shed(sent, err)
}

// ShedRequest is Shed for want of a worker: a new connection that has sent nothing needs none, and is parked.
func (c *Conn) ShedRequest() (refused bool) {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	if c.phase == lingering {
		c.End() // it has had its answer
		return false
	}
	for {
		sent, err := c.asked(buf)
		if err != park.ErrWait || len(sent) > 0 || c.phase != fresh || !c.Parks() {
			return c.shed(sent, err)
		}
		class, draining := park.Header, c.srv.Draining()
		switch {
		case draining:
			class = park.Grace
		case c.unshaken():
			class = park.Hello
		}
		parked, err := c.Park(class)
		switch {
		case err != nil:
			c.End()
			return false
		case parked && (c.srv.Draining() == draining || !c.Take()):
			return false
		}
	}
}

func (c *Conn) shed(sent []byte, err error) (refused bool) {
	if err != nil && err != park.ErrWait || len(sent) == 0 && c.phase == between {
		c.End()
		return err == errUnshaken
	}
	if len(sent) < copyBufferSize && c.srv.vital(sent) {
		c.pending = append([]byte(nil), sent...)
		if c.srv.Reserve(c) {
			return false
		}
	}
	if c.unshaken() {
		c.End()
		return true
	}
	c.say(c.srv.refusal())
	if bytes.HasSuffix(sent, []byte("\r\n\r\n")) || c.CloseWrite() != nil || !c.mayLinger() {
		c.End() // it has sent all of its request, and will not be told by a reset
		return true
	}
	c.lingerAlone()
	return true
}

// ShedNow is Shed for one whose descriptor is needed.
func (c *Conn) ShedNow() {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	if _, err := c.asked(buf); (err == nil || err == park.ErrWait) && !c.unshaken() {
		c.say(c.srv.refusal())
	}
	c.End()
}

// errUnshaken is returned by asked for one that cannot be answered.
var errUnshaken = errors.New("no TLS handshake")

// asked returns what c has sent, as far as that is known without waiting and fits into buf. The error is park.ErrWait
// if that is all, or says that there is nobody to be answered.
func (c *Conn) asked(buf []byte) (sent []byte, err error) {
	switch {
	case !c.Parks() && c.overTLS():
		return nil, errUnshaken
	case !c.Parks():
		return nil, nil
	case c.unshaken():
		n, err := c.TryReadWire(buf)
		if n > 0 {
			err = errUnshaken
		}
		return nil, err
	}
	n := copy(buf[:len(buf)-1], c.pending) // to read into nothing would look like the end
	more, err := c.TryRead(buf[n:])
	return buf[:n+more], err
}

// say writes b, which is all that c says.
func (c *Conn) say(b []byte) {
	if c.Parks() {
		c.WriteLast(b)
		return
	}
	c.SetWriteDeadline(time.Now().Add(lingerTime))
	c.Write(b)
}

// vital reports whether a connection that has sent b is to be served in any case.
func (s *Server) vital(b []byte) bool {
	if s.Limits.HealthPath == "" || s.Reserve == nil {
		return false
	}
	head, _, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole || hasBody(head) {
		return false // what is missing may never come, and there are few workers in reserve
	}
	method, target, _ := bytes.Cut(head, []byte(" "))
	if m := string(method); m != "GET" && m != "HEAD" {
		return false
	}
	rest, ok := bytes.CutPrefix(target, []byte(s.Limits.HealthPath))
	return ok && bytes.HasPrefix(rest, []byte(" HTTP/1."))
}

// hasBody reports whether a header announces a body.
func hasBody(head []byte) bool {
	for line := range bytes.Lines(head) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			return true
		}
	}
	return false
}

// maxLingering is how many connections may linger after they were shed. More than that are cut off.
const maxLingering = 1 << 10

// mayLinger reports whether c may, and counts it: see Conn.Lingers.
func (c *Conn) mayLinger() bool {
	if c.srv.Lingering.Add(1) > maxLingering {
		c.srv.Lingering.Add(-1)
		return false
	}
	c.Lingers = true
	return true
}

// overTLS reports whether c came as a tls.Conn.
func (c *Conn) overTLS() bool {
	if c.Parks() {
		return c.of.TLS != nil
	}
	nc, _ := c.NetConn()
	_, ok := nc.(*tls.Conn)
	return ok
}

// Prepare has the handler Refuse write what Shed will. It may be called again, and is to be called before anything is served:
// those who shed cannot wait for a handler, nor survive its panic.
func (s *Server) Prepare() {
	s.refuseOnce.Do(func() {
		a := newAnswer()
		a.header.Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(a, "503 Service Unavailable\n")
		s.refuseHead, s.refuseRest = a.wire()
		if s.Refuse == nil {
			return
		}
		defer func() {
			if v := recover(); v != nil {
				s.Logf("http: panic of the handler for what is refused, which gets a line of text: %v\n%s", v, debug.Stack())
			}
		}()
		a = newAnswer()
		r, _ := http.NewRequest("GET", "/", nil)
		r.RequestURI = "/"
		s.Refuse.ServeHTTP(a, r)
		s.refuseHead, s.refuseRest = a.wire()
	})
}

// refusal is what Shed writes.
func (s *Server) refusal() []byte {
	b := append(make([]byte, 0, len(s.refuseHead)+len(s.refuseRest)+64), s.refuseHead...)
	return append(appendDate(b), s.refuseRest...)
}

// An answer is a ResponseWriter that keeps what is written.
type answer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func newAnswer() *answer {
	return &answer{header: http.Header{"Retry-After": {"1"}}, status: http.StatusServiceUnavailable}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if !a.wrote && status >= 200 {
		a.wrote, a.status = true, status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.wrote = true
	return a.body.Write(p)
}

// wire is the answer as it is sent, in two parts: a Date comes in between.
func (a *answer) wire() (head, rest []byte) {
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
