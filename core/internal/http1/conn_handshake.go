package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/recycling-go/recycling/core/internal/gohttp"
	"github.com/recycling-go/recycling/core/internal/park"
)

// Sizes of TLS records. maxRecord is the length of the longest record, including its header.
const (
	handshakeRecord = 22 // first byte of a handshake record
	recordHeader    = 5
	maxRecord       = recordHeader + 16<<10
)

// readClientHello waits, without holding a worker, for the complete first record of a TLS client.
// The rest of the handshake waits on a goroutine, since crypto/tls cannot resume an interrupted
// handshake.
func (w *Worker) readClientHello(c *Conn) {
	in := &w.in
	// The hooks have a tls.Conn on c's net.Conn, which reads by itself.
	for c.Direct() && !c.handshakeDone() && !c.Readable() {
		if w.parkOrEnd(c) {
			return
		}
	}
	for !c.Direct() && !helloComplete(in.bytes()) {
		in.room(maxRecord)
		n, err := c.TryReadWire(in.readBuf())
		in.commit(n)
		switch {
		case n > 0:
		case err == park.ErrWait:
			if w.parkOrEnd(c) {
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
	c.Scheduler.StartHandshake(c, hello)
}

// maxPiece is the maximum length of a record that splitRecord makes, without its header: crypto/tls
// has room for one more read of bytes.MinRead bytes, and then does not need a larger buffer.
const maxPiece = bytes.MinRead - recordHeader

// splitRecord splits the record that hello begins with into smaller ones, which RFC 8446 section
// 5.1 allows. For the lifetime of a connection, crypto/tls keeps a buffer with room for the longest
// record, and another one for the whole message. The latter doubles when it overflows, so the
// pieces are 1/2, 1/4, ... of the message.
func splitRecord(hello []byte) [][]byte {
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

// recordLen returns the total length of the record that b begins with. b must hold at least the
// record's header.
func recordLen(b []byte) int { return recordHeader + int(b[3])<<8 + int(b[4]) }

// helloComplete reports whether b holds a complete handshake record, or cannot become one.
func helloComplete(b []byte) bool {
	if len(b) < recordHeader {
		return false
	}
	n := recordLen(b)
	return b[0] != handshakeRecord || n > maxRecord || len(b) >= n
}

// Handshake performs the TLS handshake of c, from which hello has already been read, and then has c
// served. It waits for the client. The caller owns c, and gives up ownership when it calls
// Handshake.
//
// A panic of a function of the tls.Config ends the connection, like a panic of a handler. Handshake
// calls over once the handshake has ended, before it passes c on.
func (c *Conn) Handshake(hello []byte, over func()) {
	returned := false
	defer func() {
		if !returned {
			c.Panicked(recover())
		}
	}()
	protocol, err := c.doHandshake(c.Secure(c.listener.TLS, splitRecord(hello)...))
	over()
	switch {
	case err != nil:
		c.logTLS(err)
		c.End()
	case protocol != "":
		c.clearNoHeaderYet()
		c.listener.Delegate(c, protocol, nil)
	case c.noProtocol():
		c.End()
	default:
		c.Scheduler.Enqueue(c)
	}
	returned = true
}

// Panicked ends c after a panic outside of handlers, or after Goexit if v is nil.
func (c *Conn) Panicked(v any) {
	defer c.End()
	c.guard(func() { c.logPanic(v) })
}

// handshakeDone reports whether a hook has already performed the handshake.
func (c *Conn) handshakeDone() bool {
	if c.hooked == nil {
		return false
	}
	tc, ok := c.hooked.conn.(*tls.Conn)
	return ok && tc.ConnectionState().HandshakeComplete
}

// errTooLate returns the error of a read from a client that has not sent its ClientHello in time.
func (c *Conn) errTooLate() error {
	return &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: textAddr(c.RemoteAddr()), Err: os.ErrDeadlineExceeded}
}

// A textAddr is an address in an error.
type textAddr string

func (a textAddr) Network() string { return "tcp" }
func (a textAddr) String() string  { return string(a) }

// logIfLate logs that c's TLS handshake or the header of its proxy timed out, if err, which kept c
// from parking, says so. It may wait for the ErrorLog.
func (c *Conn) logIfLate(err error) {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
	case c.phase == expecting:
		c.guard(func() { c.logProxy(err, c.pending) })
	case c.needsHandshake():
		c.guard(func() { c.logTLS(c.errTooLate()) })
	}
}

// logPatience is how long a connection stays open for a line about it to be logged.
const logPatience = 250 * time.Millisecond

// logExpired logs in the background that c's TLS handshake timed out, and then ends c, so that an
// observer of the close finds the line in the log. After logPatience c ends in any case. If too
// many lines are waiting to be logged, logExpired does nothing and returns false.
func (c *Conn) logExpired() bool {
	err := c.errTooLate()
	late := time.AfterFunc(logPatience, c.EndInBackground)
	logged := c.srv.logLater(func() {
		defer c.End()
		defer late.Stop()
		c.guard(func() { c.logTLS(err) })
	})
	if !logged {
		late.Stop()
	}
	return logged
}

// doHandshake performs the handshake and returns the negotiated protocol, or "" for HTTP/1.
func (c *Conn) doHandshake(tc secured) (protocol string, err error) {
	by := time.Now().Add(c.srv.handshakeTimeout())
	c.SetReadDeadline(by)
	c.SetWriteDeadline(by)
	c.beginWait()
	if c.srv.Draining() {
		c.interrupt()
	}
	if tc, ok := tc.(handshaker); ok {
		err = tc.HandshakeContext(c.Context())
	}
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

// needsHandshake reports whether the server still has to perform a TLS handshake on c.
func (c *Conn) needsHandshake() bool { return c.listener.TLS != nil && c.tls == nil }

// noProtocol reports whether the server may speak neither HTTP/1 nor, without TLS, HTTP/2 on c. c
// has not negotiated another protocol.
func (c *Conn) noProtocol() bool { return !c.srv.http1() && (c.tls != nil || !c.srv.http2()) }

// handshake is doHandshake for a connection that was accepted as a TLS connection. It does nothing
// for other connections.
func (c *Conn) handshake() (protocol string, err error) {
	if c.Parks() {
		return "", nil
	}
	nc, err := c.NetConn()
	if err != nil {
		return "", err
	}
	tc, ok := nc.(secured)
	if !ok {
		return "", nil
	}
	if _, ok := tc.(*tls.Conn); ok {
		return c.doHandshake(tc)
	}
	if !gohttp.StateMeansTLS {
		state := tc.ConnectionState()
		c.tls = &state
		return "", nil
	}
	if protocol, err = c.doHandshake(tc); protocol != "h2" || c.srv.HTTP.TLSNextProto["h2"] == nil {
		protocol = "" // as net/http, if it does not speak that protocol
	}
	return protocol, err
}

// A secured is a connection with TLS, such as a tls.Conn.
type secured interface {
	net.Conn
	ConnectionState() tls.ConnectionState
}

// A handshaker is a connection whose handshake the server starts.
type handshaker interface {
	HandshakeContext(context.Context) error
}

// logTLS logs why the handshake failed, unless too many have, and responds to a client that speaks
// HTTP on a TLS port.
func (c *Conn) logTLS(err error) {
	reason := err.Error()
	var re tls.RecordHeaderError
	if errors.As(err, &re) && re.Conn != nil && looksLikeHTTP(re.RecordHeader) {
		io.WriteString(re.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		re.Conn.Close()
		reason = "client sent an HTTP request to an HTTPS server"
	}
	c.srv.tlsErrors.Printf(c.srv.Logf, "http: TLS handshake error", " from %s: %v", c.RemoteAddr(), reason)
}

func looksLikeHTTP(record [5]byte) bool {
	switch string(record[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
