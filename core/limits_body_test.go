package recycling_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

func TestBodyTimeout(t *testing.T) {
	parallel(t)
	overTLS := func(m mode) mode { m.name += "-tls"; return m }
	modes := append([]mode{}, workerModes...)
	modes = append(modes, overTLS(recyclingNet), overTLS(recyclingWrapped))
	forEach(t, modes, func(t *testing.T, m mode) {
		type result struct {
			n   int
			err error
		}
		results := make(chan result, 1)
		start, dial := m.start, func(s *instance) *client { return s.dial(t) }
		if strings.HasSuffix(m.name, "-tls") {
			start, dial = m.startTLS, func(s *instance) *client { return s.dial(t).shake().client }
		}
		s := start(t, &recycling.Server{Limits: recycling.Limits{BodyTimeout: 60 * time.Millisecond}}, func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			results <- result{len(b), err}
		})
		const post = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\n"
		c := dial(s)
		c.send("%s", post+strings.Repeat("x", 100))
		if r := receive(t, results, "the body"); !errors.Is(r.err, os.ErrDeadlineExceeded) || r.n != 100 {
			t.Errorf("read %d bytes, %v", r.n, r.err)
		}
		if res, _ := c.response(); !res.Close {
			t.Error("the connection goes on after half a body")
		}
		c.ended()

		c = dial(s)
		c.send("%s", post)
		go func(c *client) { // a byte now and then is no progress
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}(c)
		if r := receive(t, results, "the body"); !errors.Is(r.err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d bytes, %v", r.n, r.err)
		}
		c.Close()

		c = dial(s)
		c.send("%s", post+strings.Repeat("x", 5000)+post+strings.Repeat("x", 5000))
		for range 2 {
			if r := receive(t, results, "the body"); r.err != nil || r.n != 5000 {
				t.Errorf("read %d bytes, %v", r.n, r.err)
			}
			if res, _ := c.response(); res.Close {
				t.Error("the connection does not go on after a whole body")
			}
		}
	})
}

// BodyTimeout adds to other deadlines, and does not replace them.
func TestReadTimeoutHoldsBesideBodyTimeout(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		result := make(chan error, 1)
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ReadTimeout: 500 * time.Millisecond}, Limits: recycling.Limits{BodyTimeout: time.Hour}}, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			result <- err
		})
		c := s.dial(t)
		c.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
		go func() { // there is always something to read
			for {
				if _, err := io.WriteString(c, "5\r\nhello\r\n"); err != nil {
					return
				}
			}
		}()
		if err := receive(t, result, "the end of the body"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading ends with %v", err)
		}
		c.Close()
	})
}

func TestBodyTimeoutLeavesWritingAlone(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingNet}, func(t *testing.T, m mode) {
		const size = 4 << 20
		s := m.startTLS(t, &recycling.Server{Limits: recycling.Limits{BodyTimeout: time.Hour}}, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			var read sync.WaitGroup
			read.Go(func() { io.Copy(io.Discard, r.Body) })
			for range size >> 14 {
				if _, err := w.Write(make([]byte, 1<<14)); err != nil {
					t.Error(err)
					break
				}
			}
			read.Wait()
		})
		c := s.dial(t).shake()
		c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", size)
		go func() {
			for range size >> 10 {
				if _, err := c.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}()
		if _, body := c.response(); len(body) != size {
			t.Errorf("the answer has %d bytes, want %d", len(body), size)
		}
	})
}
