package recycling_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// A hijacking handler gets a TLS connection, with every byte exactly once.
func TestServeTLSIsHijackedWithAllBytes(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		watched := true
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			if watched {
				r.Context().Done()
			}
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok := c.(*tls.Conn); !ok {
				t.Errorf("it is a %T", c)
			}
			rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			go func() { // until the client closes, after the handler has returned
				defer c.Close()
				io.Copy(c, rw)
			}()
		})
		const upgrade = "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
		echo := func(c *secureClient, sent string) {
			res, err := http.ReadResponse(c.r, nil)
			if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatal(res, err)
			}
			for range 3 {
				got := make([]byte, len(sent))
				if _, err := io.ReadFull(c.r, got); err != nil || string(got) != sent {
					t.Fatalf("received %.40q, %v", got, err)
				}
				c.send("%s", sent)
			}
			c.tls.CloseWrite()
			if rest, err := io.ReadAll(c.r); string(rest) != sent || err != nil {
				t.Errorf("at the end %.40q, %v", rest, err)
			}
		}
		for _, watched = range []bool{false, true} {
			for _, n := range []int{1, 100, 5000, 70_000} {
				sent := strings.Repeat("0123456789", n/10+1)
				c := s.dial(t).shake(version)
				c.send("%s", upgrade+sent) // in as few records as possible
				echo(c, sent)

				c = s.dial(t).shake(version)
				c.send("%s", upgrade)
				c.send("%s", sent)
				echo(c, sent)
			}
		}
		s.await(t, "the end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}
