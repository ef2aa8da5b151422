package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/examples/internal/progtest"
)

// nginxFile returns nginx.conf with other addresses and folders.
func nginxFile(t *testing.T, addr string, a, b string) string {
	s, dir := nginxText(t, "nginx/nginx.conf", addr, a, b)
	paths := "http {\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("\t%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	return write(t, "nginx.conf", replace(t, s, "http {\n", paths))
}

// streamFile does the same with stream.conf.
func streamFile(t *testing.T, addr string, a, b string) string {
	const module = "modules/ngx_stream_module.so"
	path := filepath.Join("/usr/lib/nginx", module)
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs the stream module of nginx, which is not installed")
	}
	s, _ := nginxText(t, "nginx/stream.conf", addr, a, b)
	return write(t, "stream.conf", replace(t, s, "load_module "+module, "load_module "+path))
}

// nginxText returns the text of a file of nginx with other addresses, and a folder for nginx.
func nginxText(t *testing.T, name, addr string, a, b string) (text, dir string) {
	dir = t.TempDir()
	s := read(t, name)
	s = replace(t, s, "127.0.0.1:8080", a)
	s = replace(t, s, "127.0.0.1:8082", b)
	s = replace(t, s, "listen 80 ", "listen "+addr+" ")
	s = replace(t, s, "/run/nginx.pid", dir+"/pid")
	return replace(t, s, "/var/log/nginx", dir), dir
}

// haproxyFile returns haproxy.cfg with other addresses.
func haproxyFile(t *testing.T, addr string, a, b string) string {
	return haproxyText(t, "haproxy/haproxy.cfg", addr, a, b)
}

// haproxyTCPFile does the same with tcp.cfg.
func haproxyTCPFile(t *testing.T, addr string, a, b string) string {
	return haproxyText(t, "haproxy/tcp.cfg", addr, a, b)
}

func haproxyText(t *testing.T, name, addr string, a, b string) string {
	s := read(t, name)
	s = replace(t, s, "127.0.0.1:8080", a)
	s = replace(t, s, "127.0.0.1:8082", b)
	s = replace(t, s, "maxconn 20000", "maxconn 200") // descriptors
	return write(t, "haproxy.cfg", replace(t, s, "bind :80", "bind "+addr))
}

// A proxy is a program whose configuration is in this folder.
type proxy struct {
	name  string // of the program
	file  func(t *testing.T, addr string, a, b string) string
	check []string // arguments before the file
	serve []string
}

func nginx(file func(t *testing.T, addr string, a, b string) string) proxy {
	return proxy{"nginx", file, []string{"-t", "-c"}, []string{"-g", "daemon off;", "-c"}}
}

func haproxy(file func(t *testing.T, addr string, a, b string) string) proxy {
	return proxy{"haproxy", file, []string{"-c", "-f"}, []string{"-db", "-f"}}
}

var (
	// These speak HTTP.
	webProxies = map[string]proxy{"nginx": nginx(nginxFile), "haproxy": haproxy(haproxyFile)}

	// These pass on bytes, and send the header of the PROXY protocol.
	tcpProxies = map[string]proxy{"nginx stream": nginx(streamFile), "haproxy tcp": haproxy(haproxyTCPFile)}
)

func forEachProxy(t *testing.T, proxies map[string]proxy, test func(t *testing.T, program string, p proxy)) {
	for name, p := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, needs(t, p.name), p)
		})
	}
}

// startProxy starts p in front of two servers, and waits until it serves. It returns its URL.
func startProxy(t *testing.T, program string, p proxy, a, b *application) (base string) {
	t.Helper()
	addr := progtest.FreeAddr(t)
	var log bytes.Buffer
	x := launch(t, &log, program, append(p.serve, p.file(t, addr, a.addr, b.addr))...)
	t.Cleanup(func() {
		if t.Failed() {
			x.stop()
			t.Logf("%s", &log)
		}
	})
	base = "http://" + addr
	eventually(t, "the proxy", func() bool { s, _ := get(base + "/healthz"); return s == http.StatusOK })
	return base
}

func TestProxiesAcceptTheirConfiguration(t *testing.T) {
	all := maps.Clone(webProxies)
	maps.Copy(all, tcpProxies)
	forEachProxy(t, all, func(t *testing.T, program string, p proxy) {
		out, err := exec.Command(program, append(p.check, p.file(t, progtest.FreeAddr(t), "127.0.0.1:8080", "127.0.0.1:8082"))...).CombinedOutput()
		if err != nil || strings.Contains(strings.ToLower(string(out)), "[warn") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// TestProxiesServe sends requests through a proxy while one of its two servers is restarted as in a
// deployment, and then while it is killed.
func TestProxiesServe(t *testing.T) {
	forEachProxy(t, webProxies, func(t *testing.T, program string, p proxy) {
		lame := "-lame-duck=4s" // longer than haproxy needs to notice
		a, b := start(t, lame, "-proxies=127.0.0.1/32"), start(t, lame, "-proxies=127.0.0.1/32")
		base := startProxy(t, program, p, a, b)
		t.Run("keeps connections", func(t *testing.T) { keepsConnections(t, base, a, b) })
		t.Run("address of the client", func(t *testing.T) { tellsAddress(t, base) })
		if testing.Short() {
			t.Skip("the rest takes seconds of waiting")
		}
		outer := t // the new server is needed after its subtest
		t.Run("restart", func(t *testing.T) {
			load := startLoad(base)
			defer load.stop(t)
			load.wait(t)
			if err := a.stop(); err != nil {
				t.Errorf("the server ended with %v", err)
			}
			load.wait(t)
			a = start(outer, lame, "-proxies=127.0.0.1/32", "-addr="+a.addr)
			eventually(t, "requests for the new server", func() bool { return a.stats(t).Requests > 20 })
		})
		t.Run("crash", func(t *testing.T) {
			load := startLoad(base)
			defer load.stop(t)
			load.wait(t)
			b.Process.Signal(syscall.SIGKILL)
			load.wait(t)
		})
	})
}

// The application gets the address of the client from a proxy that only passes on bytes.
func TestProxiesSendTheProxyProtocol(t *testing.T) {
	forEachProxy(t, tcpProxies, func(t *testing.T, program string, p proxy) {
		const trusted = "-proxy-protocol=127.0.0.1/32"
		a, b := start(t, trusted), start(t, trusted)
		base := startProxy(t, program, p, a, b)
		tellsAddress(t, base)
		for i := range 20 {
			if status, body := get(fmt.Sprintf("%s/yo?name=%d", base, i)); status != http.StatusOK || body != fmt.Sprintf("Hey %d!", i) {
				t.Fatalf("request %d: %d, %q", i, status, body)
			}
		}
		if status, body := get("http://" + a.addr + "/yo"); status != 0 {
			t.Errorf("without a header: %d, %s, want no response", status, body)
		}
	})
}

// keepsConnections fails if the proxy makes a connection for each request.
func keepsConnections(t *testing.T, base string, servers ...*application) {
	const requests = 200
	accepted := func() (n int64) {
		for _, s := range servers {
			n += s.stats(t).Accepted
		}
		return n
	}
	before := accepted()
	for i := range requests {
		if status, body := get(fmt.Sprintf("%s/yo?name=%d", base, i)); status != http.StatusOK || body != fmt.Sprintf("Hey %d!", i) {
			t.Fatalf("request %d: %d, %q", i, status, body)
		}
	}
	if n := accepted() - before; n > requests/4 {
		t.Errorf("%d connections for %d requests", n, requests)
	}
}

// tellsAddress fails if the application does not get the address of the client, or if it gets one
// that the client has made up.
func tellsAddress(t *testing.T, base string) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux all of 127.0.0.0/8 is loopback")
	}
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	tr := &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}
	req, err := http.NewRequest("GET", base+"/ip", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	if got := do(t, &http.Client{Transport: tr}, req); got != "127.0.0.2" {
		t.Errorf("the address of the client is %q, want 127.0.0.2", got)
	}
}

// do sends a request and returns the body of the response.
func do(t *testing.T, c *http.Client, req *http.Request) string {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A load sends requests until it is stopped.
type load struct {
	base    string
	answers atomic.Int64
	over    atomic.Bool
	clients sync.WaitGroup

	mu     sync.Mutex // guards the following
	failed []string
}

func startLoad(base string) *load {
	l := &load{base: base}
	for range 4 {
		l.clients.Go(l.send)
	}
	return l
}

func (l *load) send() {
	for !l.over.Load() {
		if status, body := get(l.base + "/sleep/5"); status != http.StatusOK {
			l.mu.Lock()
			l.failed = append(l.failed, fmt.Sprintf("%s: %d %.200s", time.Now().Format("05.000"), status, body))
			l.mu.Unlock()
		}
		l.answers.Add(1)
	}
}

// wait waits for some more answers.
func (l *load) wait(t *testing.T) {
	t.Helper()
	n := l.answers.Load() + 200
	eventually(t, "answers", func() bool { return l.answers.Load() >= n })
}

// stop ends the load, and fails the test if a request has failed.
func (l *load) stop(t *testing.T) {
	t.Helper()
	l.over.Store(true)
	l.clients.Wait()
	if len(l.failed) > 0 {
		t.Errorf("%d of %d requests have failed, first: %q", len(l.failed), l.answers.Load(), l.failed[:min(5, len(l.failed))])
	}
}
