package http1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// refuse answers a request that cannot be served, and ends c.
func (w *Worker) refuse(c *Conn, err error) {
	var text, body string
	var status *statusError
	switch {
	case err == errTooLarge:
		text = "431 Request Header Fields Too Large"
		if bytes.IndexByte(w.in.bytes(), '\n') < 0 {
			text = "414 Request URI Too Long" // RFC 9112 section 3
		}
		body = text
	case err == errCoding:
		text = "501 Not Implemented"
		body = "Unsupported transfer encoding"
	case errors.As(err, &status):
		text = fmt.Sprintf("%d %s: %s", status.code, http.StatusText(status.code), status.text)
		body = text
	case errors.Is(err, errMalformed):
		text = "400 Bad Request"
		body = text
	case err == io.EOF && w.in.buffered() > 0:
		text = "400 Bad Request"
		body = text
	default:
		w.end(c) // there is nobody to answer
		return
	}
	b := append(make([]byte, 0, 256), "HTTP/1.1 "...)
	b = append(b, text...)
	b = append(b, "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"...)
	if err != errCoding {
		b = appendDate(b) // RFC 9110 section 6.6.1 leaves 501 free, and a test of net/http's knows it without
	}
	b = append(b, "\r\n"...)
	b = append(b, body...)
	if d := c.srv.HTTP.WriteTimeout; d > 0 {
		c.SetWriteDeadline(time.Now().Add(d))
	}
	c.Write(b)
	w.linger(c)
}

// Shed refuses a connection of which nothing was read, for want of a worker. It does not wait for
// the client.
func (c *Conn) Shed() {
	b := append(make([]byte, 0, 256), "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nRetry-After: 1\r\n"...)
	b = appendDate(b)
	b = append(b, "\r\n503 Service Unavailable\n"...)
	c.SetWriteDeadline(time.Now().Add(lingerTime))
	c.Write(b)
	if c.CloseWrite() != nil {
		c.End()
		return
	}
	c.lingerAlone()
}

// lingerTime is how long a connection stays open for reading after an answer that the client may not
// have expected, so that bytes it still sends do not make its kernel drop that answer
// (RFC 9112 section 9.6). The number is net/http's.
const lingerTime = 500 * time.Millisecond

// linger says that nothing more comes, and ends c when the client has closed too, or after lingerTime. It
// keeps no worker.
func (w *Worker) linger(c *Conn) {
	w.release()
	if c.CloseWrite() != nil {
		c.End()
		return
	}
	c.Began()
	c.phase = lingering
	if !c.Parks() {
		c.lingerAlone()
		return
	}
	w.serveLinger(c)
}

// lingerAlone ends a connection that does not park after lingerTime, or when the client has closed.
func (c *Conn) lingerAlone() {
	time.AfterFunc(lingerTime, c.End)
	c.Watch(c.End)
}

// serveLinger reads and drops what is there.
func (w *Worker) serveLinger(c *Conn) {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	for range lingerReads {
		_, err := c.TryRead(buf)
		if err == nil {
			continue
		}
		if err != park.ErrWait {
			break
		}
		parked, err := c.Park(park.Linger)
		if parked {
			return
		}
		if err != nil {
			break
		}
	}
	c.End()
}

// lingerReads is how often that is done, so that a client which sends and sends does not keep a worker.
const lingerReads = 32

// handshake makes the TLS connection, if c is one. It returns the protocol that c goes on with, "" for HTTP/1.
func (c *Conn) handshake() (protocol string, err error) {
	nc := c.plain()
	if nc == nil {
		return "", nil
	}
	tc, ok := nc.(*tls.Conn)
	if !ok {
		if s, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
			state := s.ConnectionState()
			c.tls = &state
		}
		return "", nil
	}
	if d := c.srv.handshakeTimeout(); d > 0 {
		tc.SetDeadline(time.Now().Add(d))
	}
	if err := tc.HandshakeContext(c.Base()); err != nil {
		return "", err
	}
	tc.SetDeadline(time.Time{})
	state := tc.ConnectionState()
	c.tls = &state
	switch state.NegotiatedProtocol {
	case "", "http/1.1", "http/1.0":
		return "", nil
	}
	return state.NegotiatedProtocol, nil
}

// refuseTLS answers a client that speaks HTTP to a TLS port, and logs.
func (c *Conn) refuseTLS(err error) {
	reason := err.Error()
	var re tls.RecordHeaderError
	if errors.As(err, &re) && re.Conn != nil && looksLikeHTTP(re.RecordHeader) {
		io.WriteString(re.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		re.Conn.Close()
		reason = "client sent an HTTP request to an HTTPS server"
	}
	c.srv.Logf("http: TLS handshake error from %s: %v", c.RemoteAddr(), reason)
}

func looksLikeHTTP(record [5]byte) bool {
	switch string(record[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

// plain returns c's net.Conn if c is no socket of ours.
func (c *Conn) plain() net.Conn {
	if c.Parks() {
		return nil
	}
	nc, _ := c.NetConn()
	return nc
}

// handshakeTimeout is the shortest timeout there is, as in net/http.
func (s *Server) handshakeTimeout() (d time.Duration) {
	for _, t := range []time.Duration{s.HTTP.ReadHeaderTimeout, s.HTTP.ReadTimeout, s.HTTP.WriteTimeout} {
		if t > 0 && (d == 0 || t < d) {
			d = t
		}
	}
	return d
}
