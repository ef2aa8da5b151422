package recycling_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A copyingConn has a ReadFrom that reads ahead, as that of a *net.TCPConn does where the kernel
// cannot copy.
type copyingConn struct{ net.Conn }

func (c copyingConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// readSlowly reads n bytes in each period.
func readSlowly(r io.Reader, n int, period time.Duration) (all []byte, err error) {
	b := make([]byte, n)
	for err == nil {
		var k int
		k, err = io.ReadFull(r, b)
		all = append(all, b[:k]...)
		time.Sleep(period)
	}
	return all, err
}

// TestAnswerTimeoutLeavesSlowClientsAloneThatDoNotPark has a client that takes much longer than
// AnswerTimeout for what is written at once.
func TestAnswerTimeoutLeavesSlowClientsAloneThatDoNotPark(t *testing.T) {
	parallel(t)
	const limit = time.Minute
	content := make([]byte, 3<<20/2)
	for i := range content {
		content[i] = byte(i >> 8)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	embedded := fstest.MapFS{"file": {Data: content}}
	for _, h := range []struct {
		name   string
		copies bool // the connection has a ReadFrom
		serve  http.HandlerFunc
	}{
		{"write", false, func(w http.ResponseWriter, r *http.Request) { w.Write(content) }},
		{"file", false, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }},
		{"file, copied by the connection", true, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }},
		{"embedded file, copied by the connection", true, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, embedded, "file") }},
	} {
		t.Run(h.name, func(t *testing.T) {
			s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{AnswerTimeout: limit}}
			inBubble(t, s, h.serve, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
				c := dial(func(nc net.Conn) net.Conn {
					if h.copies {
						return copyingConn{nc}
					}
					return nc
				})
				io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
				got, err := readSlowly(c, 2000, limit/2)
				_, body, _ := bytes.Cut(got, []byte("\r\n\r\n"))
				if !bytes.Equal(body, content) {
					t.Errorf("the client got %d bytes, %v, want the %d of the content", len(body), err, len(content))
				}
			})
		})
	}
}

// An endedFile is a regular file that cannot go back.
type endedFile struct {
	io.Reader
	file *os.File
}

func (f endedFile) Stat() (os.FileInfo, error) { return f.file.Stat() }

// TestSlowClientsGetNoGaps copies from a file that has read ahead when a write ends, and cannot go
// back.
func TestSlowClientsGetNoGaps(t *testing.T) {
	parallel(t)
	const limit = time.Minute
	content := make([]byte, 1<<20)
	for i := range content {
		content[i] = byte(i >> 8)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var result error
	s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{AnswerTimeout: limit}}
	h := func(w http.ResponseWriter, r *http.Request) {
		_, result = io.Copy(w, endedFile{bytes.NewReader(content), file})
	}
	inBubble(t, s, h, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
		c := dial(func(nc net.Conn) net.Conn { return copyingConn{nc} })
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		got, _ := readSlowly(c, 2000, limit/2)
		if _, body, _ := bytes.Cut(got, []byte("\r\n\r\n")); len(body) == 0 || !bytes.HasPrefix(content, body) {
			t.Errorf("what the client got, %d bytes, is not the beginning of the content", len(body))
		}
		if !errors.Is(result, os.ErrDeadlineExceeded) {
			t.Errorf("Copy returned %v", result)
		}
	})
}

// TestAnswerTimeoutOverTLSIsForRecordsWithoutParking has a client that reads a little more than a
// record in each AnswerTimeout, and one that reads less.
func TestAnswerTimeoutOverTLSIsForRecordsWithoutParking(t *testing.T) {
	parallel(t)
	const limit, size = time.Minute, 1 << 20
	for _, c := range []struct {
		n  int // bytes in each AnswerTimeout
		ok bool
	}{{17 << 10, true}, {10 << 10, false}, {100, false}} {
		s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{AnswerTimeout: limit}}
		var result chan error
		h := func(w http.ResponseWriter, r *http.Request) {
			_, err := w.Write(make([]byte, size))
			result <- err
		}
		inBubble(t, s, h, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
			result = make(chan error, 1)
			nc := dial(func(nc net.Conn) net.Conn { return tls.Server(nc, serverKeys()) })
			io.WriteString(tls.Client(nc, keyrings().client.Clone()), get)
			go readSlowly(nc, c.n/20, limit/20)
			err := <-result
			if c.ok != (err == nil) || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes in AnswerTimeout: Write returned %v", c.n, err)
			}
			nc.Close()
			time.Sleep(limit) // until the reader has ended
		})
	}
}
