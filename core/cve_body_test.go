package recycling_test

import (
	"fmt"
	"go/version"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// reverse returns a proxy to this address.
func reverse(t testing.TB, to net.Addr) *httputil.ReverseProxy {
	tr := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
	t.Cleanup(tr.CloseIdleConnections)
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to.String()})
	p.Transport, p.ErrorLog = tr, quiet().ErrorLog
	return p
}

// final reads the next response that is not informational, and returns it with its body.
func (c *client) final() (*http.Response, string) {
	c.t.Helper()
	for {
		if res, body := c.response(); res.StatusCode >= 200 {
			return res, body
		}
	}
}

// A goroutine that read the body, which sends "100 Continue", raced with the handler's response.
func TestCVE_2020_15586_BodyReadBesideTheAnswer(t *testing.T) {
	parallel(t)
	body := strings.Repeat("x", 64<<10)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		early := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "early") })
		p := reverse(t, early.addr)
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/proxy" {
				p.ServeHTTP(w, r)
				return
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				io.Copy(io.Discard, r.Body)
			}()
			for range 3 {
				io.WriteString(w, "early")
				http.NewResponseController(w).Flush()
			}
			if r.URL.Path == "/wait" {
				<-done
			}
		})
		closeTogether(t, early, s)
		for i := range scaled(60) {
			c := s.dial(t)
			c.send("POST %s HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", []string{"/", "/wait", "/proxy"}[i%3], len(body))
			go io.WriteString(c, body)
			res, err := http.ReadResponse(c.r, nil)
			for err == nil && res.StatusCode == http.StatusContinue {
				res, err = http.ReadResponse(c.r, nil)
			}
			if err != nil || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusBadGateway {
				t.Fatalf("%v, %v", res, err)
			}
			io.Copy(io.Discard, res.Body)
			c.Close()
		}
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

// After an early response to a request with "Expect: 100-continue", the next request was taken for
// its body, or its body for the next request.
func TestCVE_2024_24791_EarlyAnswerToExpect(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		handler := func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/reject":
				w.WriteHeader(http.StatusForbidden)
			case "/echo":
				io.Copy(w, r.Body)
			case "/next":
				io.WriteString(w, "next")
			default:
				t.Errorf("a handler was called with %s", r.RequestURI)
			}
		}
		behind := m.start(t, &recycling.Server{HTTP: quiet()}, handler)
		front := m.start(t, &recycling.Server{HTTP: quiet()}, reverse(t, behind.addr).ServeHTTP)
		closeTogether(t, behind, front)
		asked := []*instance{behind, front}
		if version.Compare(runtime.Version(), "go1.26") < 0 {
			asked = asked[:1] // Go 1.25's proxy waits for the body, also under net/http's server
		}
		for _, s := range asked {
			for _, body := range []string{"", smuggled} { // not sent, or sent without waiting
				for range 10 {
					c := s.dial(t)
					c.send("POST /reject HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), body)
					res, _ := c.final()
					if res.StatusCode != http.StatusForbidden {
						t.Fatalf("answer %s", res.Status)
					}
					if !res.Close { // then the body was read or will be
						c.send("%sGET /next HTTP/1.1\r\nHost: test\r\n\r\n", smuggled[len(body):])
						if res, text := c.final(); res.StatusCode != http.StatusOK || text != "next" {
							t.Errorf("the next answer is %s %q", res.Status, text)
						}
					}
					c.Close()

					c = s.dial(t)
					c.send("POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
					if res, _ := c.response(); res.StatusCode != http.StatusContinue {
						t.Fatalf("answer %s", res.Status)
					}
					c.send("GET /GET /next HTTP/1.1\r\nHost: test\r\n\r\n")
					if _, text := c.final(); text != "GET /" {
						t.Errorf("echo of %q", text)
					}
					if _, text := c.final(); text != "next" {
						t.Errorf("the next answer is %q", text)
					}
					c.Close()
				}
			}
		}
	})
}

// When the client disconnected, a body was read from a buffer that was already used by another
// connection.
func TestNbio502_BodyReadWhileTheConnectionEnds(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			letter := r.URL.Path[1:]
			buf := make([]byte, 100)
			n := 0
			for {
				k, err := r.Body.Read(buf)
				n += k
				if rest := strings.Trim(string(buf[:k]), letter); rest != "" {
					t.Errorf("in a body of %s there is %q", letter, rest)
				}
				if err != nil {
					break
				}
			}
			fmt.Fprint(w, n)
		})
		const size = 20_000
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				letter := string(rune('a' + i))
				for range scaled(30) {
					c, err := net.Dial(s.addr.Network(), s.addr.String())
					if err != nil {
						t.Error(err)
						return
					}
					c.SetDeadline(time.Now().Add(patience))
					head := fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", letter, size)
					if i%2 == 0 {
						io.WriteString(c, head+strings.Repeat(letter, size/2))
						c.(*net.TCPConn).SetLinger(0)
					} else {
						io.WriteString(c, head+strings.Repeat(letter, size))
						if b, err := io.ReadAll(c); !strings.HasSuffix(string(b), fmt.Sprint("\r\n\r\n", size)) {
							t.Errorf("answer %q, %v", b, err)
						}
					}
					c.Close()
				}
			})
		}
		group.Wait()
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}
