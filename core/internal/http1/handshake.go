package http1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// maxRecord is the longest record of TLS, with its header.
const (
	handshakeRecord = 22 // its first byte
	recordHeader    = 5
	maxRecord       = recordHeader + 16<<10
)

// greet waits, holding no worker, for all of the record that a TLS client begins with. The rest of the handshake
// waits on a goroutine, since package tls cannot begin again where it was.
func (w *Worker) greet(c *Conn) {
	in := &w.in
	for !c.shaken() && !helloComplete(in.bytes()) {
		in.room(maxRecord)
		n, err := c.TryReadWire(in.buf[in.w:])
		in.w += n
		switch {
		case n > 0:
		case err == park.ErrWait:
			if w.rest(c) {
				return
			}
		default:
			c.logTLS(err)
			w.end(c)
			return
		}
	}
	hello := append([]byte(nil), in.bytes()...)
	w.release()
	c.Began()
	c.srv.Shake(c, hello)
}

// maxPiece is how long a record that inPieces makes may be, without its header: package tls has room for one more read of
// bytes.MinRead bytes, and then gets no larger buffer.
const maxPiece = bytes.MinRead - recordHeader

// inPieces cuts the record that hello begins with into smaller ones, which RFC 8446 section 5.1 allows: as long as a
// connection lives package tls keeps a buffer that had room for the longest record, and another for the whole
// message. The latter doubles when it overflows, so the pieces are a half, a quarter, ... of the message.
func inPieces(hello []byte) [][]byte {
	if len(hello) < recordHeader || hello[0] != handshakeRecord {
		return [][]byte{hello}
	}
	end := recordLen(hello)
	size := end - recordHeader
	if size == 0 || end > len(hello) {
		return [][]byte{hello}
	}
	for size > maxPiece {
		size = (size + 1) / 2
	}
	var out [][]byte
	for piece := range slices.Chunk(hello[recordHeader:end], size) {
		header := []byte{hello[0], hello[1], hello[2], byte(len(piece) >> 8), byte(len(piece))}
		out = append(out, append(header, piece...))
	}
	if end < len(hello) {
		out = append(out, hello[end:])
	}
	return out
}

// recordLen returns the length of the record that b begins with, its header included, which must be there.
func recordLen(b []byte) int { return recordHeader + int(b[3])<<8 + int(b[4]) }

// helloComplete reports whether b has all of a handshake record, or cannot become one.
func helloComplete(b []byte) bool {
	if len(b) < recordHeader {
		return false
	}
	n := recordLen(b)
	return b[0] != handshakeRecord || n > maxRecord || len(b) >= n
}

// Shake carries out the handshake of c, of which hello has been read, and then has c served. It waits for the client. The
// caller has c, and does not have it any more afterwards.
//
// A panic of one of the config's functions ends the connection, as one in a handler does.
func (c *Conn) Shake(hello []byte) {
	returned := false
	defer func() {
		if !returned {
			c.Panicked(recover())
		}
	}()
	protocol, err := c.shake(c.Secure(c.of.TLS, inPieces(hello)...))
	switch {
	case err != nil:
		c.logTLS(err)
		c.End()
	case c.foreign(protocol):
		c.of.Delegate(c, protocol, nil)
	default:
		c.srv.Continue(c)
	}
	returned = true
}

// Panicked ends c after a panic outside of handlers, or after Goexit if v is nil.
func (c *Conn) Panicked(v any) {
	c.logPanic(v)
	c.End()
}

// shaken reports whether a hook has done the handshake already.
func (c *Conn) shaken() bool {
	tc, ok := c.hooked.(*tls.Conn)
	return ok && tc.ConnectionState().HandshakeComplete
}

// errTooLate is what reading the hello of a client that has sent none in time would return.
func (c *Conn) errTooLate() error {
	return &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: textAddr(c.RemoteAddr()), Err: os.ErrDeadlineExceeded}
}

// A textAddr is an address in an error.
type textAddr string

func (a textAddr) Network() string { return "tcp" }
func (a textAddr) String() string  { return string(a) }

// shake returns the protocol that c goes on with, "" for HTTP/1.
func (c *Conn) shake(tc *tls.Conn) (protocol string, err error) {
	by := time.Now().Add(c.srv.handshakeTimeout())
	c.SetReadDeadline(by)
	c.SetWriteDeadline(by)
	c.beginWait()
	if c.srv.Draining() {
		c.Interrupt()
	}
	err = tc.HandshakeContext(c.Base())
	c.endWait()
	if err != nil {
		return "", err
	}
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	state := tc.ConnectionState()
	c.tls = &state
	switch state.NegotiatedProtocol {
	case "http/1.1", "http/1.0":
		return "", nil
	}
	return state.NegotiatedProtocol, nil
}

// unshaken reports whether c still needs its handshake.
func (c *Conn) unshaken() bool { return c.of.TLS != nil && c.tls == nil }

// foreign reports whether c is to go on with another protocol than HTTP/1.
func (c *Conn) foreign(protocol string) bool {
	return protocol != "" || !c.srv.http1() && !c.srv.http2()
}

// handshake is shake for a connection that came as a tls.Conn, if c is one.
func (c *Conn) handshake() (protocol string, err error) {
	if c.Parks() {
		return "", nil
	}
	nc, err := c.NetConn()
	if err != nil {
		return "", err
	}
	switch nc := nc.(type) {
	case *tls.Conn:
		return c.shake(nc)
	case interface{ ConnectionState() tls.ConnectionState }:
		state := nc.ConnectionState()
		c.tls = &state
	}
	return "", nil
}

// logTLS logs why there was no handshake, and answers a client that speaks HTTP to a TLS port.
func (c *Conn) logTLS(err error) {
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

// defaultHandshake bounds a handshake where no timeout does. Net/http has no such bound.
const defaultHandshake = 10 * time.Second

// handshakeTimeout is the shortest timeout there is, as in net/http.
func (s *Server) handshakeTimeout() (d time.Duration) {
	for _, t := range []time.Duration{s.HTTP.ReadHeaderTimeout, s.HTTP.ReadTimeout, s.HTTP.WriteTimeout} {
		if t > 0 && (d == 0 || t < d) {
			d = t
		}
	}
	if d == 0 {
		return defaultHandshake
	}
	return d
}
