package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// forEachWith runs f with a client of each server that has the path.
func forEachWith(t *testing.T, path string, f func(t *testing.T, c *client)) {
	forEach(t, func(t *testing.T, s Spec) {
		if !Serves(s.Server, path) {
			t.Skip("it has no such path")
		}
		t.Parallel()
		f(t, dial(t, start(t, s)))
	})
}

// Every server that has the path reads the whole body of an upload, and the connection stays.
func TestServersReadUploads(t *testing.T) {
	forEachWith(t, "/upload", func(t *testing.T, c *client) {
		for _, size := range []int{0, 1, 64 << 10, 1 << 20} {
			fmt.Fprintf(c, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
			if status, body := c.receive(t); status != http.StatusOK || body != fmt.Sprint(size) {
				t.Errorf("%d bytes: %d %q", size, status, body)
			}
		}
		if status, _ := c.get(t, "/upload", ""); status == http.StatusOK {
			t.Error("it answers GET /upload")
		}
	})
}

func TestServersSendNoMoreThanThereIs(t *testing.T) {
	forEachWith(t, "/bytes/1", func(t *testing.T, c *client) {
		for _, n := range []string{"1048577", "-1", "x", "99999999999999999999"} {
			if status, _ := c.get(t, "/bytes/"+n, ""); status != http.StatusBadRequest {
				t.Errorf("%s bytes: %d, want 400", n, status)
			}
		}
	})
}

func TestServersAnswerAlikeOverTLS(t *testing.T) {
	answers := map[string]string{"/yo": "Hey!", "/work/1": "worked", "/bytes/100000": strings.Repeat("x", 100_000)}
	forEach(t, func(t *testing.T, s Spec) {
		ok, http2 := Secure(s.Server)
		if !ok {
			t.Skip("it serves no TLS")
		}
		t.Parallel()
		s.TLS = true
		p := start(t, s)
		for _, protocol := range []int{1, 2} {
			if protocol == 2 && !http2 {
				continue
			}
			protocols := new(http.Protocols)
			protocols.SetHTTP1(protocol == 1)
			protocols.SetHTTP2(protocol == 2)
			transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: protocols}
			client := &http.Client{Transport: transport, Timeout: time.Minute}
			for path, want := range answers {
				wantAnswer(t, protocol, want)(client.Get("https://" + p.Addr() + path))
			}
			upload := strings.NewReader(strings.Repeat("x", 64<<10))
			wantAnswer(t, protocol, "65536")(client.Post("https://"+p.Addr()+"/upload", "", upload))
			transport.CloseIdleConnections()
		}
		wantStopped(t, p)
	})
}

// wantAnswer returns a function that checks a response.
func wantAnswer(t *testing.T, protocol int, want string) func(*http.Response, error) {
	return func(r *http.Response, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
			return
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.ProtoMajor != protocol || r.StatusCode != http.StatusOK || string(body) != want {
			t.Errorf("%s: %s %s, %.20q, %v, want %.20q", r.Request.URL, r.Proto, r.Status, body, err, want)
		}
	}
}
