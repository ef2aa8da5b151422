package recycling_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// A realProxy is a program that sends the header. Its configuration has placeholders for a
// directory, its own address, and that of the server.
type realProxy struct {
	name    string
	program string
	args    func(dir, conf string) []string
	conf    string
	checks  bool // it asks for /check by itself
}

func haproxyArgs(_, conf string) []string { return []string{"-db", "-f", conf} }
func nginxArgs(dir, conf string) []string { return []string{"-p", dir, "-c", conf} }

// haproxyConf returns a configuration of haproxy with these options of the server line.
func haproxyConf(mode, options string) string {
	return `# %[1]s is for others
defaults
	mode ` + mode + `
	timeout connect 10s
	timeout client 10s
	timeout server 10s
	timeout check 10s
frontend proxy
	bind %[2]s
	default_backend origin
backend origin
	server origin %[3]s ` + options + "\n"
}

// haproxyCheck makes haproxy check whether the server is up.
const haproxyCheck = "\toption httpchk GET /check\n"

const nginxStream = `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr crit;
events {}
stream {
	server {
		listen %[2]s;
		proxy_pass %[3]s;
		proxy_protocol on;
	}
}
`

// realProxies pass on bytes, so TLS ends in the server.
var realProxies = []realProxy{
	{name: "haproxy v1", program: "haproxy", args: haproxyArgs, conf: haproxyConf("tcp", "send-proxy")},
	{name: "haproxy v2", program: "haproxy", args: haproxyArgs, conf: haproxyConf("tcp", "send-proxy-v2")},
	{name: "haproxy v2 with TLVs", program: "haproxy", args: haproxyArgs, conf: haproxyConf("tcp", "send-proxy-v2 proxy-v2-options crc32c,authority,unique-id")},
	{name: "haproxy v1, checking", program: "haproxy", args: haproxyArgs, conf: haproxyConf("tcp", "send-proxy check inter 200ms fall 10000") + haproxyCheck, checks: true},
	{name: "haproxy v2, checking", program: "haproxy", args: haproxyArgs, conf: haproxyConf("tcp", "send-proxy-v2 check inter 200ms fall 10000") + haproxyCheck, checks: true},
	{name: "nginx", program: "nginx", args: nginxArgs, conf: nginxStream},
}

var startedProxies atomic.Int64

// start starts the program in front of s for the duration of the test, and returns its address.
func (p realProxy) start(t *testing.T, s *instance) net.Addr {
	t.Helper()
	program, err := exec.LookPath(p.program)
	if err != nil {
		t.Skipf("needs %s", p.program)
	}
	dir := t.TempDir()
	// Servers listen on 127.0.0.1, and so do not get the port of the proxy before that begins to
	// listen.
	n := startedProxies.Add(1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.%d.%d:0", 1+n/200%200, 1+n%200))
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr()
	l.Close()
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, p.conf, dir, addr, s.addr), 0o666); err != nil {
		t.Fatal(err)
	}
	var trouble bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, p.args(dir, conf)...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &trouble, &trouble, patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	up := holds(func() bool {
		select {
		case err := <-ended:
			ended <- err
			return true
		default:
		}
		c, err := net.Dial(addr.Network(), addr.String())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	select {
	case err := <-ended:
		ended <- err
		if text := trouble.String(); strings.Contains(text, "ngx_stream_module.so") {
			t.Skip("needs libnginx-mod-stream")
		} else {
			t.Fatalf("%s: %v\n%s", p.program, err, text)
		}
	default:
	}
	if !up {
		t.Fatalf("%s does not accept", p.program)
	}
	return addr
}

func TestProxyProtocolOfRealProxies(t *testing.T) {
	parallel(t)
	for _, p := range realProxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			forEachProxied(t, func(t *testing.T, m proxiedMode) {
				if m.strategy != recycling.Goroutine && strings.HasSuffix(m.name, "-used") {
					t.Skip("nothing else happens than without Use")
				}
				for _, secure := range []bool{false, true} {
					if secure && p.checks {
						continue // its checks do not speak TLS
					}
					p.test(t, m, secure)
				}
			})
		})
	}
}

func (p realProxy) test(t *testing.T, m proxiedMode, secure bool) {
	start := m.start
	if secure {
		start = m.startTLS
	}
	var mu sync.Mutex
	checked := map[string]int{} // by the host of RemoteAddr and of the local address
	srv, log := proxiedLog()
	s := start(t, &recycling.Server{HTTP: srv, ProxyProtocol: proxiedConfig(srv)}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/check" {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			mu.Lock()
			checked[fmt.Sprint(host, " ", r.Context().Value(http.LocalAddrContextKey))]++
			mu.Unlock()
		}
		addresses(w, r)
	})
	addr := p.start(t, s)
	for i := range 3 {
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i))}
		nc, err := (&net.Dialer{LocalAddr: from, Timeout: patience}).Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		c := wrapClient(t, nc)
		want := fmt.Sprint(c.LocalAddr(), " ", addr)
		if secure {
			c = c.shake().client
		}
		for range 2 {
			if got := c.get("/"); got != want {
				t.Errorf("addresses are %q, want %q", got, want)
			}
		}
		c.Close()
	}
	if text := log.String(); strings.Contains(text, "PROXY") {
		t.Errorf("the log is %q", text)
	}
	if !p.checks {
		return
	}
	want := fmt.Sprint("127.0.0.1 ", s.addr)
	holdsSoon(t, "a check with the proxy's own address", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return checked[want] > 1 && len(checked) == 1
	})
}
