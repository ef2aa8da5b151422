package http1

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Shed refuses a connection of which nothing was read, for want of a worker. It does not wait for
// the client. With TLS it cannot say so, since there was no handshake.
func (c *Conn) Shed() {
	if c.overTLS() {
		c.End()
		return
	}
	head, rest := c.srv.refusal()
	b := append(make([]byte, 0, len(head)+len(rest)+64), head...)
	b = appendDate(b)
	b = append(b, rest...)
	c.SetWriteDeadline(time.Now().Add(lingerTime))
	c.Write(b)
	if c.CloseWrite() != nil {
		c.End()
		return
	}
	c.lingerAlone()
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

// refusal is what Shed writes, in two parts: a Date comes in between. It is made once, by the handler Refuse.
func (s *Server) refusal() (head, rest []byte) {
	s.refuseOnce.Do(func() {
		a := answer{header: http.Header{"Retry-After": {"1"}}, status: http.StatusServiceUnavailable}
		if s.Refuse != nil {
			r, _ := http.NewRequest("GET", "/", nil)
			r.RequestURI = "/"
			s.Refuse.ServeHTTP(&a, r)
		} else {
			a.header.Set("Content-Type", "text/plain; charset=utf-8")
			io.WriteString(&a, "503 Service Unavailable\n")
		}
		s.refuseHead, s.refuseRest = a.wire()
	})
	return s.refuseHead, s.refuseRest
}

// An answer is a ResponseWriter that keeps what is written.
type answer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
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
