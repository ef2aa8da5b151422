package recycling_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// listenNarrow returns a listener whose connections have small send buffers.
func listenNarrow() (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 16384) })
		return err
	}}
	return config.Listen(context.Background(), "tcp", "127.0.0.1:0")
}

var (
	narrowRecycling = mode{"recycling", recycling.Recycling, listenNarrow, recycling.Parks}
	narrowGoroutine = mode{"goroutine", recycling.Goroutine, listenNarrow, false}
)

// A client must be able to tell the end of a response from a truncation attack: the server sends an
// alert, even if the client was slow to read the response.
func TestServeTLSSaysGoodByeToSlowReaders(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("takes seconds of waiting")
	}
	forEachVersion(t, []mode{narrowRecycling, narrowGoroutine}, func(t *testing.T, m mode, version func(*tls.Config)) {
		const large = 60 << 10
		var size atomic.Int64
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "identity") // ends with the connection
			for n := size.Load(); n > 0; n -= 1000 {
				if _, err := w.Write(make([]byte, min(n, 1000))); err != nil {
					t.Error(err)
				}
			}
		})
		for i := range 10 {
			size.Store(large + int64(i)*977)
			plain := s.dial(t)
			plain.Conn.(*net.TCPConn).SetReadBuffer(16384)
			w := &watchedEnd{Conn: plain.Conn}
			plain.Conn = w
			c := plain.shake(version)
			c.send(get)
			time.Sleep(time.Millisecond) // lets the server block
			if n, err := io.Copy(io.Discard, &slowReader{c.r}); err != nil || n < size.Load() {
				t.Errorf("received %d bytes, %v", n, err)
			}
			if w.ended.Load() {
				t.Errorf("the answer of %d bytes has ended without an alert", size.Load())
			}
		}
	})
}

type slowReader struct{ r io.Reader }

func (s *slowReader) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Microsecond)
	return s.r.Read(p[:min(len(p), 2000)])
}

// A watchedEnd is a connection that records whether its end was read.
type watchedEnd struct {
	net.Conn
	ended atomic.Bool
}

func (w *watchedEnd) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.ended.Store(true)
	}
	return n, err
}
