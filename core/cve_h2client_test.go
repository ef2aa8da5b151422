package recycling_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// Frames of HTTP/2 (RFC 9113 section 6) that the tests use.
const (
	frameData, frameHeaders, framePriority, frameReset, frameSettings byte = 0, 1, 2, 3, 4
	framePing, frameGoAway, frameWindow, frameContinuation            byte = 6, 7, 8, 9

	flagEndStream, flagAck, flagEndHeaders byte = 1, 1, 4
)

// preface is what a client sends first.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// An h2client sends the frames that it is told to send.
type h2client struct{ *client }

type h2frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

// certificate is for tests, and nobody trusts it.
var certificate = sync.OnceValue(func() tls.Certificate {
	c, err := selfsigned.New()
	if err != nil {
		panic(err)
	}
	return c
})

// overTLS returns m with a TLS listener and these protocols.
func (m mode) overTLS(protocols ...string) mode {
	m.name += "-tls"
	m.parks = false
	m.listen = func() (net.Listener, error) {
		l, err := listenNet()
		if err != nil {
			return nil, err
		}
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: protocols}), nil
	}
	return m
}

// dialHTTP2 opens an HTTP/2 connection, over TLS if config is not nil.
func (s *instance) dialHTTP2(t testing.TB, config *tls.Config) *h2client {
	t.Helper()
	c := &h2client{s.dial(t)}
	if config != nil {
		tc := tls.Client(c.Conn, config)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		if p := tc.ConnectionState().NegotiatedProtocol; p != "h2" {
			t.Fatalf("negotiated protocol is %q", p)
		}
		c.Conn = tc
		c.r.Reset(tc)
	}
	c.write([]byte(preface))
	c.frame(frameSettings, 0, 0, nil)
	return c
}

func (c *h2client) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// appendFrame appends a frame to b.
func appendFrame(b []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// frame sends a frame.
func (c *h2client) frame(kind, flags byte, stream uint32, payload []byte) {
	c.t.Helper()
	c.write(appendFrame(nil, kind, flags, stream, payload))
}

// field returns a header field in HPACK, as a literal that is not indexed.
func field(name, value string) []byte {
	b := appendString([]byte{0}, name)
	return appendString(b, value)
}

// appendString appends a string literal of HPACK (RFC 7541 section 5.2).
func appendString(b []byte, s string) []byte {
	n := len(s)
	if n < 127 {
		b = append(b, byte(n))
	} else {
		b = append(b, 127)
		for n -= 127; n >= 128; n >>= 7 {
			b = append(b, byte(n)|128)
		}
		b = append(b, byte(n))
	}
	return append(b, s...)
}

// getFields returns the header of a GET request, with method and scheme by their index, and more
// fields.
func getFields(path string, more ...[]byte) []byte {
	b := appendString([]byte{0x82, 0x87, 0x04}, path)
	b = appendString(append(b, 0x01), "test")
	return append(b, bytes.Join(more, nil)...)
}

// request sends a GET request.
func (c *h2client) request(stream uint32, path string, more ...[]byte) {
	c.t.Helper()
	c.frame(frameHeaders, flagEndHeaders|flagEndStream, stream, getFields(path, more...))
}

// next returns the next frame. It acknowledges settings.
func (c *h2client) next() (f h2frame, err error) {
	var head [9]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return f, err
	}
	f = h2frame{kind: head[3], flags: head[4], stream: binary.BigEndian.Uint32(head[5:])}
	f.payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(c.r, f.payload)
	if f.kind == frameSettings && f.flags&flagAck == 0 {
		c.Write(appendFrame(nil, frameSettings, flagAck, 0, nil))
	}
	return f, err
}

// answered waits for the end of a stream, whose status must be 200.
func (c *h2client) answered(stream uint32) {
	c.t.Helper()
	for {
		f, err := c.next()
		switch {
		case err != nil:
			c.t.Fatalf("stream %d was not answered: %v", stream, err)
		case f.kind == frameGoAway:
			c.t.Fatalf("stream %d was not answered: GOAWAY %x", stream, f.payload)
		case f.stream != stream:
		case f.kind == frameReset:
			c.t.Fatalf("stream %d was reset: %x", stream, f.payload)
		case f.kind == frameHeaders && !bytes.HasPrefix(bytes.TrimLeft(f.payload, "\x20"), []byte{0x88}):
			c.t.Fatalf("stream %d has the header %x", stream, f.payload)
		}
		if f.stream == stream && (f.kind == frameHeaders || f.kind == frameData) && f.flags&flagEndStream != 0 {
			return
		}
	}
}

// goneAway reads until the server sends GOAWAY or closes the connection, and returns the error
// code, or -1.
func (c *h2client) goneAway() int {
	c.t.Helper()
	for {
		f, err := c.next()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.t.Error("the connection is still open")
			}
			return -1
		}
		if f.kind == frameGoAway {
			return int(binary.BigEndian.Uint32(f.payload[4:]))
		}
	}
}
