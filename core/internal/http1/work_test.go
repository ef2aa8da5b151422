package http1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
)

// workPerByte is how often a byte may be examined and copied before it is used. Moving it from the
// worker's buffer to the connection's takes one copy, growing that buffer by doubling two, finding
// line and header ends two looks, and the lines of chunks three.
const workPerByte = 8

// A client that sends one byte at a time causes no more work per byte than one that sends large
// pieces. The worker gives up the connection after each piece.
func TestWorkForEachByteOfAHeaderIsBounded(t *testing.T) {
	const size = 1 << 16
	fill := func(part string) string { return strings.Repeat(part, size/len(part)) }
	line := "GET / HTTP/1.1\r\nHost: a\r\n"
	for name, block := range map[string]string{
		"request line":    "GET /" + fill("a") + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"method":          fill("G") + " / HTTP/1.1\r\nHost: a\r\n\r\n",
		"value":           line + "X: " + fill("y") + "\r\n\r\n",
		"name":            line + fill("X") + ": y\r\n\r\n",
		"fields":          line + fill("X: yyyyyyyyyyyyyyyyyy\r\n") + "\r\n",
		"folded lines":    line + "X: y\r\n" + fill(" yyyyyyyyyyyyyyyyyyyyy\r\n") + "\r\n",
		"LF":              line + fill("X: yyyyyyyyyyyyyyyyyy\n") + "\n",
		"CR":              line + "X: " + fill("\r") + "\r\n\r\n",
		"empty lines":     fill("\r\n") + line + "\r\n",
		"line feeds":      fill("\n") + line + "\r\n",
		"header":          line + "\r\n",
		"no end":          line + "X: " + fill("y"),
		"carriage return": "GET /" + fill("\r"),
	} {
		for _, cut := range []byte{0, 1, 30, 255} { // pieces of 1, 2, 31 and 8128 bytes
			w := NewWorker(&Server{HTTP: &http.Server{}})
			c := new(Conn)
			c.Init(&ListenerConfig{Server: w.srv, Context: context.Background()})
			set, err := park.NewSet(park.Config{})
			if err != nil {
				t.Fatal(err)
			}
			set.Add(&c.Conn, &stutter{memConn: memConn{in: []byte(block), cuts: []byte{cut}}})
			c.phase = opened
			for {
				w.attach(c)
				_, err = w.readHeader(c)
				if err != errStutter {
					break
				}
				w.detach(c)
			}
			if w.in.work > workPerByte*len(block)+bufferSize {
				t.Errorf("%s in pieces of %d: bytes were examined and copied %d times, of %d that came", name, cut, w.in.work, len(block))
			}
		}
	}
}

func TestWorkForEachByteOfABodyIsBounded(t *testing.T) {
	const size = 1 << 18
	fill := func(part string) string { return strings.Repeat(part, size/len(part)) }
	for name, body := range map[string]string{
		"small chunks":              fill("1\r\nx\r\n") + "0\r\n\r\n",
		"small chunks, long sizes":  fill("0000000000000001\r\nx\r\n") + "0\r\n\r\n",
		"chunks with extensions":    fill("40;a=bcdefghijklmnopqrstuvwxyz\r\n"+strings.Repeat("x", 64)+"\r\n") + "0\r\n\r\n",
		"one chunk":                 "40000\r\n" + fill("x") + "\r\n0\r\n\r\n",
		"long line":                 strings.Repeat("5;a="+strings.Repeat("b", 4000)+"\r\nhello\r\n", 4) + "0\r\n\r\n",
		"long line without an end":  "5;a=" + fill("b"),
		"chunk without an end":      "1\r\n" + fill("x"),
		"trailer":                   "0\r\n" + strings.Repeat("X: y\r\n", 600) + "\r\n",
		"trailer without an end":    "0\r\nX: " + fill("y"),
		"trailer with a long value": "0\r\nX: " + strings.Repeat("y", 4000) + "\r\n\r\n",
	} {
		for _, cut := range []byte{0, 1, 30, 255} {
			for _, n := range []int{1, 7, 512, 8192} {
				in := newInput()
				in.c = new(park.Conn)
				set, err := park.NewSet(park.Config{})
				if err != nil {
					t.Fatal(err)
				}
				set.Add(in.c, &memConn{in: []byte(body), cuts: []byte{cut}})
				x := &exchange{req: new(http.Request), srv: &Server{HTTP: new(http.Server)}}
				b := newBody(x, &in)
				io.CopyBuffer(io.Discard, struct{ io.Reader }{b}, make([]byte, n))
				if in.work > workPerByte*len(body)+bufferSize {
					t.Errorf("%s in pieces of %d, %d asked for: bytes were examined and copied %d times, of %d that came", name, cut, n, in.work, len(body))
				}
			}
		}
	}
}

// The first bytes of the next request must not keep the buffer of a large header in memory.
func TestParkedConnectionKeepsNoLargerBufferThanItNeeds(t *testing.T) {
	large := "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 1<<19) + "\r\n\r\n"
	for _, cuts := range [][]byte{nil, {255}, {250, 3}} {
		w := NewWorker(&Server{HTTP: &http.Server{}})
		c := new(Conn)
		c.Init(&ListenerConfig{Server: w.srv, Context: context.Background()})
		set, err := park.NewSet(park.Config{})
		if err != nil {
			t.Fatal(err)
		}
		set.Add(&c.Conn, &stutter{memConn: memConn{in: []byte(large + large + "GET /"), cuts: cuts}})
		c.phase = opened
		for blocks := 0; ; {
			w.attach(c)
			_, err := w.readHeader(c)
			if err == nil {
				blocks++
			}
			read := w.in.buffered()
			w.detach(c)
			if n := cap(c.pending); n > max(4*read, bufferSize) {
				t.Errorf("cut by %v: %d bytes are kept in %d bytes of memory", cuts, read, n)
			}
			if err == io.EOF {
				if blocks != 2 || string(c.pending) != "GET /" {
					t.Errorf("%d headers, and %q", blocks, c.pending)
				}
				break
			}
		}
	}
}

// newBody returns a chunked body of x.
func newBody(x *exchange, in *input) *body {
	x.ctx = &requestContext{base: context.Background(), x: x}
	x.res = &response{reply: &x.reply}
	x.body.x, x.body.in, x.body.chunked = x, in, true
	return &x.body
}

// A stutter is a memConn that returns errStutter after each piece, and goes on at the next Read.
type stutter struct {
	memConn
	said bool
}

var errStutter = errors.New("no more for now")

func (c *stutter) Read(p []byte) (int, error) {
	if c.said = !c.said; c.said {
		return c.memConn.Read(p)
	}
	return 0, errStutter
}
