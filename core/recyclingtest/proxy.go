package recyclingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

var proxies = []behaviour{
	proxyForwardsRequestsAndResponses,
	proxyStreams,
	proxyForwardsInformationalResponses,
	proxyForwardsTrailers,
	proxyForwardsUpgrades,
	proxyForwardsAborts,
	proxyForwardsTheEndOfTheClient,
}

// proxy starts a target with this handler, and another target in front of it that is a reverse
// proxy. It returns the latter.
func (t *test) proxy(backend http.HandlerFunc) *server {
	t.Helper()
	behind := t.serve(backend)
	transport := &http.Transport{
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, behind.Addr.Network(), behind.Addr.String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	to, err := url.Parse("http://backend.test")
	if err != nil {
		t.Fatalf("%v", err)
	}
	front := &http.Server{}
	p := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
		},
	}
	front.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.ServeHTTP(w, r)
	})
	s := t.start(front)
	p.ErrorLog = front.ErrorLog
	return s
}

func proxyForwardsRequestsAndResponses(t *test) {
	s := t.proxy(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", fmt.Sprint(r.Host, " ", r.Method, " ", r.Header.Get("X-Forwarded-Host"), " ", r.Header.Get("X-Hop")))
		w.WriteHeader(203)
		echoBody(w, r)
	})
	c := s.dial(t)
	body := pattern(300_000)
	for _, raw := range []string{post("/p?q", body, "Connection: X-Hop", "X-Hop: 1"), strings.Replace(chunkedBy(1000, body), " / ", " /p?q ", 1)} {
		c.sendBeside(raw)
		a := c.wants(203, "/p?q "+body+" <nil>")
		if got := a.Header.Get("X-Seen"); got != "backend.test POST example.test" {
			t.Errorf("backend has seen %s", got)
		}
	}
	c.goesOn()
	if a := c.exchange(request("HEAD", "/")); a.StatusCode != 203 {
		t.Errorf("HEAD: %s", a.Status)
	}
	c.goesOn()
}

func proxyStreams(t *test) {
	next := make(chan bool)
	c := t.proxy(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprint(w, "part ", i)
			w.(http.Flusher).Flush()
			<-next
		}
	}).dial(t)
	defer close(next)
	c.send(get("/"))
	c.head()
	for i := range 3 {
		c.bytes(fmt.Sprintf("6\r\npart %d\r\n", i))
		give(t, next, true)
	}
	c.bytes("0\r\n\r\n")
}

func proxyForwardsInformationalResponses(t *test) {
	c := t.proxy(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "x")
		w.WriteHeader(103)
		w.Header().Set("Link", "y")
		io.WriteString(w, "body")
	}).dial(t)
	c.send(get("/"))
	c.bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
	if a := c.wants(200, "body"); a.Header.Get("Link") != "y" {
		t.Errorf("header is %v", a.Header)
	}
}

func proxyForwardsTrailers(t *test) {
	c := t.proxy(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Declared")
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Declared", "declared")
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	}).dial(t)
	c.send(chunked("/", "abc"))
	a := c.wants(200, "body")
	if a.Trailer.Get("X-Declared") != "declared" || a.Trailer.Get("X-Late") != "late" {
		t.Errorf("trailer is %v", a.Trailer)
	}
}

func proxyForwardsUpgrades(t *test) {
	c := t.proxy(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(c, strings.ToUpper(line))
	}).dial(t)
	c.send(get("/", "Connection: Upgrade", "Upgrade: shout"))
	if h := c.head(); !strings.HasPrefix(h, "HTTP/1.1 101 Switching Protocols\r\n") || !strings.Contains(h, "Upgrade: shout\r\n") {
		t.Fatalf("header is %q", h)
	}
	c.send("hello\n")
	c.bytes("HELLO\n")
	c.ends()
}

func proxyForwardsAborts(t *test) {
	s := t.proxy(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "seen")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	if a := s.dial(t).exchange(get("/")); a.text != "seen" || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("body is %q, %v; want a cut", a.text, a.err)
	}
}

func proxyForwardsTheEndOfTheClient(t *test) {
	entered, ended := make(chan bool, 1), make(chan bool, 1)
	c := t.proxy(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-r.Context().Done()
		ended <- true
	}).dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	c.Close()
	receive(t, ended, "end of the request behind the proxy")
}
