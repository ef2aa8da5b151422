package recycling_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about bugs of HTTP/2 servers. HTTP/2 is net/http's here; what matters is that it
// gets the connections with all its safeguards, and that they hold no worker.

// An h2mode is a mode and the way in which HTTP/2 begins.
type h2mode struct {
	mode
	config *tls.Config // nil: without TLS
}

var (
	h2plain = h2mode{recyclingOwn, nil}
	h2tls   = h2mode{recyclingNet.overTLS("h2", "http/1.1"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}

	everyH2mode = []h2mode{h2plain, h2tls, {recyclingWrapped, nil}, {poolOwn, nil}, {goroutineOwn, nil}}
	// someH2modes are for slow tests: net/http waits a second after GOAWAY.
	someH2modes = []h2mode{h2plain, h2tls}
)

// forEachHTTP2 runs f in each of modes.
func forEachHTTP2(t *testing.T, modes []h2mode, f func(t *testing.T, m h2mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { f(t, m) })
	}
}

// spoken returns all protocols.
func spoken() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// start serves h over HTTP/1 and HTTP/2 with a single worker.
func (m h2mode) start(t testing.TB, srv *http.Server, h http.HandlerFunc) *instance {
	srv.Protocols, srv.ErrorLog = spoken(), quiet().ErrorLog
	return m.mode.start(t, &recycling.Server{HTTP: srv, Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 100}, Standby: 1}, h)
}

// onceHTTP1 sends an HTTP/1.1 request on a new connection.
func (m h2mode) onceHTTP1(t testing.TB, s *instance) {
	t.Helper()
	c := s.dial(t)
	if m.config != nil {
		tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
		c.Conn = tc
		c.r.Reset(tc)
	}
	c.get("/")
	c.Close()
}

// A crowded gate counts the handlers that wait at it.
type crowded struct {
	*gate
	now, most, all atomic.Int64
}

func (g *crowded) serve(w http.ResponseWriter, r *http.Request) {
	n := g.now.Add(1)
	defer g.now.Add(-1)
	g.all.Add(1)
	for m := g.most.Load(); n > m && !g.most.CompareAndSwap(m, n); m = g.most.Load() {
	}
	g.gate.serve(w, r)
}

// Streams that were reset at once did not count, so there was no limit on running handlers.
func TestCVE_2023_44487_2023_39325_RapidReset(t *testing.T) {
	parallel(t)
	forEachHTTP2(t, everyH2mode, func(t *testing.T, m h2mode) {
		const limit = 10
		g := &crowded{gate: newGate(t)}
		s := m.start(t, &http.Server{HTTP2: &http.HTTP2Config{MaxConcurrentStreams: limit}}, g.serve)
		c := s.dialHTTP2(t, m.config)
		var flood []byte
		for i := range uint32(2000) {
			flood = appendFrame(flood, frameHeaders, flagEndHeaders|flagEndStream, 2*i+1, getFields("/wait"))
			flood = appendFrame(flood, frameReset, 0, 2*i+1, []byte{0, 0, 0, 8}) // CANCEL
		}
		go c.Write(flood)
		for range limit {
			receive(t, g.entered, "the handlers")
		}
		m.onceHTTP1(t, s)
		if code := c.goneAway(); code != 0xb { // ENHANCE_YOUR_CALM
			t.Errorf("the connection ended with code %d", code)
		}
		c.Close()
		g.open()
		s.await(t, "the connection's end", func(st recycling.Stats) bool { return st.Open == 0 })
		if n := g.most.Load(); n > limit+1 { // one more for HTTP/1
			t.Errorf("%d handlers were at work together", n)
		}
		if n := g.all.Load(); n > 5*limit+1 {
			t.Errorf("%d handlers were called", n)
		}
	})
}

// The 250 streams of a connection run on their own goroutines: they exhaust no pool, and there are
// no more.
func TestCVE_2023_44487_StreamsHoldNoWorker(t *testing.T) {
	parallel(t)
	forEachHTTP2(t, everyH2mode, func(t *testing.T, m h2mode) {
		g := &crowded{gate: newGate(t)}
		s := m.start(t, new(http.Server), g.serve)
		c := s.dialHTTP2(t, m.config)
		const announced = 250
		for i := range uint32(announced + 20) {
			c.request(2*i+1, "/wait")
		}
		for range announced {
			receive(t, g.entered, "the handlers")
		}
		// Its response shows that the streams before it were seen.
		c.frame(framePing, 0, 0, make([]byte, 8))
		for {
			f, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if f.kind == framePing {
				break
			}
		}
		if n := g.most.Load(); n != announced {
			t.Errorf("%d handlers are at work together", n)
		}
		m.onceHTTP1(t, s)
		g.open()
	})
}

// Headers that were too large were still read to their end, which CONTINUATION frames deferred
// endlessly.
func TestCVE_2023_45288_ContinuationFlood(t *testing.T) {
	forEachHTTP2(t, someH2modes, func(t *testing.T, m h2mode) {
		s := m.start(t, new(http.Server), func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor == 2 {
				t.Error("the handler was called")
			}
		})
		c := s.dialHTTP2(t, m.config)
		piece := string(appendFrame(nil, frameContinuation, 0, 1, field("x", strings.Repeat("y", 16_000))))
		var sent int
		n := allocated(func() {
			c.frame(frameHeaders, flagEndStream, 1, getFields("/"))
			done := make(chan int)
			go func() { done <- c.flood(piece, 1<<30) }()
			c.goneAway()
			c.Close()
			sent = receive(t, done, "the flood's end")
		})
		if n > 64<<20 {
			t.Errorf("%d bytes were allocated", n)
		}
		if sent > 8<<20+socketSpace {
			t.Errorf("%d bytes were sent", sent)
		}
		m.onceHTTP1(t, s)
	})
}

// Names of header fields were kept for each connection, regardless of their length and number.
func TestCVE_2022_41717_HeaderNamesAreNotKept(t *testing.T) {
	forEachHTTP2(t, someH2modes, func(t *testing.T, m h2mode) {
		s := m.start(t, new(http.Server), hello)
		c := s.dialHTTP2(t, m.config)
		c.request(1, "/")
		c.answered(1)
		const n, size = 300, 4000
		before := inUse()
		for i := range uint32(n) {
			c.request(2*i+3, "/", field(fmt.Sprintf("x-%s-%d", strings.Repeat("y", size), i), "v"))
			c.answered(2*i + 3)
		}
		if kept := inUse() - before; kept > n*size/4 {
			t.Errorf("%d bytes were kept of %d", kept, n*size)
		}
	})
}

// upgrade returns a request that asks for HTTP/2 as RFC 7540 specifies.
func upgrade(line string) string {
	return with("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", line)
}

// After "Upgrade: h2c", the part of the request's body that the handler had not read was taken for
// frames.
func TestCVE_2022_41721_BodyIsNoFrames(t *testing.T) {
	parallel(t)
	frames := appendFrame([]byte(preface), frameSettings, 0, 0, nil)
	frames = appendFrame(frames, frameHeaders, flagEndHeaders|flagEndStream, 1, getFields("/smuggled"))
	length := fmt.Sprint("Content-Length: ", len(frames))
	next := "GET /next HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
	forEach(t, cveModes, func(t *testing.T, m mode) {
		var seen atomic.Int64
		limited := http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Without HTTP/2, PRI is a request.
			if r.URL.Path == "/smuggled" || r.ProtoMajor != 1 && r.Method != "PRI" {
				t.Errorf("the handler was called with %s %s", r.RequestURI, r.Proto)
			}
			seen.Add(1)
			if r.URL.Query().Has("read") {
				io.Copy(io.Discard, r.Body)
			}
		}), 10)
		s := m.start(t, &recycling.Server{HTTP: &http.Server{Protocols: spoken(), ErrorLog: quiet().ErrorLog}}, limited.ServeHTTP)
		for name, raw := range map[string]string{
			"unread":          upgrade(length) + string(frames) + next,
			"read":            strings.Replace(upgrade(length), " / ", " /?read ", 1) + string(frames) + next,
			"unread, chunked": upgrade("Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(frames), frames) + next,
			"no body":         upgrade("X: y") + string(frames), // does not wait for the upgrade
			"second request":  get + string(frames),             // HTTP/2 must come first
			"Expect":          upgrade(length+"\r\nExpect: 100-continue") + string(frames) + next,
		} {
			c := s.dial(t)
			go io.WriteString(c, raw)
			for _, a := range c.answers() {
				if strings.HasPrefix(a, "101") {
					t.Errorf("%s: the answer is %s", name, a)
				}
			}
			c.Close()
		}
		if seen.Load() == 0 {
			t.Error("no request was served")
		}
	})
}

// If a connection failed after the server had sent GOAWAY, Shutdown did not return.
func TestCVE_2022_27664_ErrorDuringShutdown(t *testing.T) {
	parallel(t)
	forEachHTTP2(t, someH2modes, func(t *testing.T, m h2mode) {
		g := newGate(t)
		s := m.start(t, new(http.Server), g.serve)
		c := s.dialHTTP2(t, m.config)
		c.request(1, "/wait")
		receive(t, g.entered, "the handler")
		done := s.shutdown(context.Background())
		for {
			f, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if f.kind == frameGoAway {
				break
			}
		}
		c.frame(frameData, 0, 0, []byte("no data is on stream 0"))
		g.open()
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		s.ended(t, http.ErrServerClosed)
	})
}

// narrow reduces the kernel's send buffer of a connection.
func narrow(ctx context.Context, c net.Conn) context.Context {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	if b, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
		b.SetWriteBuffer(4096)
	}
	return ctx
}

// Some frames require a response. A client that reads none of them made the server store all of
// them.
func TestCVE_2019_9512_9514_9515_Floods(t *testing.T) {
	var resets []byte
	for i := range uint32(40_000) { // a name in capitals gets RST_STREAM
		resets = appendFrame(resets, frameHeaders, flagEndHeaders|flagEndStream, 2*i+1, getFields("/", field("X", "y")))
	}
	for name, piece := range map[string]string{
		"9512 ping":     string(appendFrame(nil, framePing, 0, 0, make([]byte, 8))),
		"9515 settings": string(appendFrame(nil, frameSettings, 0, 0, nil)),
		"9514 reset":    string(resets),
	} {
		t.Run(name, func(t *testing.T) {
			forEachHTTP2(t, someH2modes, func(t *testing.T, m h2mode) {
				s := m.start(t, &http.Server{ConnContext: narrow}, hello)
				c := s.dialHTTP2(t, m.config)
				// One response may be for all, so the connection need not end.
				if name == "9515 settings" {
					before := inUse()
					c.flood(piece, 1<<20)
					if kept := inUse() - before; kept > 4<<20 {
						t.Errorf("%d bytes are in use", kept)
					}
					c.Close()
				} else if sent := c.flood(piece, 1<<28); sent > 32<<20+socketSpace {
					t.Errorf("%d bytes were sent", sent)
				}
				s.await(t, "the connection's end", func(st recycling.Stats) bool { return st.Open == 0 })
				m.onceHTTP1(t, s)
			})
		})
	}
}

// A frame with a type between the known ones and a new one made the server panic.
func TestCVE_2026_27141_UnknownFrames(t *testing.T) {
	parallel(t)
	forEachHTTP2(t, someH2modes, func(t *testing.T, m h2mode) {
		s := m.start(t, new(http.Server), hello)
		for kind := byte(0xa); kind < 0x14; kind++ {
			for _, stream := range []uint32{0, 1} {
				for _, payload := range []string{"", "x", "\x00\x00\x00\x01u=1", strings.Repeat("x", 1000)} {
					c := s.dialHTTP2(t, m.config)
					c.frame(kind, 0xff, stream, []byte(payload))
					if kind < 0x10 { // these are not known types
						c.request(1, "/")
						c.answered(1)
					}
					c.Close()
				}
			}
		}
		m.onceHTTP1(t, s)
	})
}

// A maximum frame size of 0 made the peer send empty frames forever.
func TestCVE_2026_33814_BadSettings(t *testing.T) {
	parallel(t)
	setting := func(id uint16, v uint32) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, id), v)
	}
	forEachHTTP2(t, someH2modes, func(t *testing.T, m h2mode) {
		s := m.start(t, new(http.Server), hello)
		for _, bad := range []struct {
			name  string
			bytes []byte
			code  int
		}{
			{"frame size 0", setting(5, 0), 1},
			{"frame size 16383", setting(5, 1<<14-1), 1},
			{"frame size 2^24", setting(5, 1<<24), 1},
			{"window 2^31", setting(4, 1<<31), 3},
			{"push 2", setting(2, 2), 1},
			{"half a setting", []byte{0, 5, 0}, 6},
		} {
			c := s.dialHTTP2(t, m.config)
			c.frame(frameSettings, 0, 0, bad.bytes)
			c.request(1, "/")
			if code := c.goneAway(); code != bad.code {
				t.Errorf("%s: the connection ended with code %d, want %d", bad.name, code, bad.code)
			}
			c.Close()
		}
		m.onceHTTP1(t, s)
	})
}
