package recyclinggin_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// A way is a way to run an engine: gin's method, and its counterpart here.
type way struct {
	name       string
	there      func(*gin.Engine) error
	here       func(*gin.Engine) error
	wantPrefix string // of the error of our counterpart
}

// link matches a link to gin's documentation, which has moved between its versions.
var link = regexp.MustCompile(`https://\S+`)

func TestRunPrintsWhatGinPrints(t *testing.T) {
	t.Setenv("PORT", "99999") // not a valid port
	nowhere := filepath.Join(t.TempDir(), "none", "socket")
	closed := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		return address{l}
	}
	for _, w := range []way{
		{
			name:       "Run",
			there:      func(e *gin.Engine) error { return e.Run() },
			here:       func(e *gin.Engine) error { return recyclinggin.Run(e) },
			wantPrefix: "recycling: listener: ",
		},
		{
			name:       "Run with an address",
			there:      func(e *gin.Engine) error { return e.Run("127.0.0.1:99999") },
			here:       func(e *gin.Engine) error { return recyclinggin.Run(e, "127.0.0.1:99999") },
			wantPrefix: "recycling: listener: ",
		},
		{
			name:  "RunTLS",
			there: func(e *gin.Engine) error { return e.RunTLS("127.0.0.1:0", nowhere, nowhere) },
			here:  func(e *gin.Engine) error { return recyclinggin.RunTLS(e, "127.0.0.1:0", nowhere, nowhere) },
		},
		{
			name:       "RunUnix",
			there:      func(e *gin.Engine) error { return e.RunUnix(nowhere) },
			here:       func(e *gin.Engine) error { return recyclinggin.RunUnix(e, nowhere) },
			wantPrefix: "listener: ",
		},
		{
			name:  "RunListener",
			there: func(e *gin.Engine) error { return e.RunListener(closed()) },
			here:  func(e *gin.Engine) error { return recyclinggin.RunListener(e, closed()) },
		},
	} {
		for _, trusted := range [][]string{nil, {"10.0.0.0/8"}, {"0.0.0.0/0"}, {"::/0"}} {
			t.Run(fmt.Sprint(w.name, " trusting ", trusted), func(t *testing.T) {
				run := func(run func(*gin.Engine) error) (printed, errors string) {
					out, errs := debugging(t)
					engine := gin.New()
					if trusted != nil {
						engine.SetTrustedProxies(trusted)
					}
					if run(engine) == nil {
						t.Error("no error")
					}
					return out.String(), errs.String()
				}
				wantOut, wantErr := run(w.there)
				out, errs := run(w.here)
				if link.ReplaceAllString(out, "") != link.ReplaceAllString(wantOut, "") {
					t.Errorf("printed\n%s\nwant, as gin does,\n%s", out, wantOut)
				}
				if errs = strings.Replace(errs, w.wantPrefix, "", 1); errs != wantErr {
					t.Errorf("printed as the error\n%s\nwant, as gin does,\n%s", errs, wantErr)
				}
			})
		}
	}
}

// An address is a listener with a fixed address.
type address struct{ net.Listener }

func (address) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (a address) Accept() (net.Conn, error) {
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: a.Addr(), Err: net.ErrClosed}
}

func TestRunTakesOneAddress(t *testing.T) {
	defer func() {
		if v := recover(); v != "too many parameters" {
			t.Errorf("recovered %v, want gin's panic", v)
		}
	}()
	recyclinggin.Run(gin.New(), ":1", ":2")
}

// TestRunEndsWithSignal sends the signal to each of them while a request is in flight.
func TestRunEndsWithSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal here")
	}
	cert := selfsigned.NewTest(t, "example.org")
	certFile, keyFile := selfsigned.Files(t, cert)
	for _, tt := range []struct {
		name, network string
		tls           bool
		run           func(e *gin.Engine, addr string) error
	}{
		{"Run", "tcp", false, func(e *gin.Engine, addr string) error { return recyclinggin.Run(e, addr) }},
		{"RunTLS", "tcp", true, func(e *gin.Engine, addr string) error { return recyclinggin.RunTLS(e, addr, certFile, keyFile) }},
		{"ServeTLS", "tcp", true, func(e *gin.Engine, addr string) error {
			return recyclinggin.ServeTLS(e, certFile, keyFile, recycling.Addr(addr))
		}},
		{"RunUnix", "unix", false, func(e *gin.Engine, addr string) error { return recyclinggin.RunUnix(e, addr) }},
		{"RunFd", "tcp", false, func(e *gin.Engine, addr string) error {
			fd, err := duplicate(addr)
			if err != nil {
				return err
			}
			return recyclinggin.RunFd(e, fd)
		}},
		{"RunListener", "tcp", false, func(e *gin.Engine, addr string) error {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				return err
			}
			return recyclinggin.RunListener(e, l)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				t.Setenv(recycling.EnvStrategy, string(strategy))
				addr := filepath.Join(t.TempDir(), "socket")
				if tt.network == "tcp" {
					addr = recyclingtest.FreeAddr(t)
				}
				engine := gin.New()
				engine.GET("/", func(c *gin.Context) {
					p, err := os.FindProcess(os.Getpid())
					if err != nil || p.Signal(syscall.SIGTERM) != nil {
						t.Error("cannot send a signal")
					}
					for { // until it stops accepting
						nc, err := net.Dial(tt.network, addr)
						if err != nil {
							break
						}
						nc.Close()
						time.Sleep(time.Millisecond)
					}
					c.String(http.StatusOK, "%s", recycling.FromContext(c.Request.Context()).Stats().Strategy)
				})
				served := make(chan error, 1)
				go func() { served <- tt.run(engine, addr) }()
				nc := dial(t, tt.network, addr)
				defer nc.Close()
				if tt.tls {
					nc = tls.Client(nc, &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"})
				}
				if body := ask(t, nc, ""); body != string(strategy) {
					t.Errorf("the answer is %q, want %q", body, strategy)
				}
				if err := <-served; err != nil {
					t.Errorf("it returned %v, want nil", err)
				}
				if tt.network == "unix" {
					if _, err := os.Stat(addr); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("the socket is still there (%v)", err)
					}
				}
			})
		})
	}
}

// TestListenerUnderRunListener uses an unmodified engine, and stops it by closing its listener.
func TestListenerUnderRunListener(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		engine := gin.New()
		engine.UseH2C = true
		entered, leave := make(chan struct{}), make(chan struct{})
		engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, c.Request.Proto) })
		engine.GET("/wait", func(c *gin.Context) {
			close(entered)
			<-leave
			c.String(http.StatusOK, "late")
		})
		l, err := recyclinggin.Listener(engine, socket, func(s *recycling.Server) { s.Strategy = strategy })
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- engine.RunListener(l) }()

		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		resp, err := (&http.Client{Transport: tr}).Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "HTTP/2.0" {
			t.Errorf("the handler got %q (%v), want HTTP/2.0", body, err)
		}
		resp.Body.Close()
		tr.CloseIdleConnections()

		nc := dial(t, "tcp", l.Addr().String())
		defer nc.Close()
		fmt.Fprint(nc, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		<-entered
		l.Close()
		if strategy != recycling.Goroutine { // with Goroutine, RunListener does not wait
			select {
			case err := <-served:
				t.Errorf("RunListener returned %v while a request was in flight", err)
			case <-time.After(20 * time.Millisecond):
			}
		}
		close(leave)
		if body := read(t, nc); body != "late" {
			t.Errorf("the request in flight got %q, want late", body)
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("RunListener returned %v, want %v", err, net.ErrClosed)
		}
	})
}

func TestClientIP(t *testing.T) {
	for _, tt := range []struct {
		name, network string
		trusted       []string
		forwarded     string
		// Empty means what gin's own server sends: on Unix sockets its versions differ.
		want string
	}{
		{"direct", "tcp", nil, "", "127.0.0.1"},
		{"by a trusted proxy", "tcp", []string{"127.0.0.1"}, "192.0.2.1", "192.0.2.1"},
		{"by trusted proxies", "tcp", []string{"127.0.0.1", "10.0.0.0/8"}, "192.0.2.7, 192.0.2.1, 10.1.1.1", "192.0.2.1"},
		{"by some other", "tcp", []string{"10.0.0.0/8"}, "192.0.2.1", "127.0.0.1"},
		{"unix, direct", "unix", nil, "", ""},
		{"unix, by a proxy", "unix", []string{"10.0.0.0/8"}, "192.0.2.1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			engine := gin.New()
			if err := engine.SetTrustedProxies(tt.trusted); err != nil {
				t.Fatal(err)
			}
			engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "%s", c.ClientIP()) })
			header := ""
			if tt.forwarded != "" {
				header = "X-Forwarded-For: " + tt.forwarded + "\r\n"
			}
			clientIP := func(serve func(net.Listener) error, shutdown func(context.Context) error) string {
				addr := "127.0.0.1:0"
				if tt.network == "unix" {
					addr = filepath.Join(t.TempDir(), "socket")
				}
				l, err := net.Listen(tt.network, addr)
				if err != nil {
					t.Fatal(err)
				}
				served := make(chan error, 1)
				go func() { served <- serve(l) }()
				nc := dial(t, tt.network, l.Addr().String())
				defer nc.Close()
				ip := ask(t, nc, header)
				shutdown(context.Background())
				<-served
				return ip
			}
			want := tt.want
			if want == "" {
				s := &http.Server{Handler: engine.Handler()}
				want = clientIP(s.Serve, s.Shutdown)
			}
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				s := recyclinggin.New(engine, func(s *recycling.Server) { s.Strategy = strategy })
				if ip := clientIP(s.Serve, s.Shutdown); ip != want {
					t.Errorf("ClientIP is %q, want %q", ip, want)
				}
			})
		})
	}
}

// duplicate returns a duplicate of the descriptor of a listening socket.
func duplicate(addr string) (int, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return dup(f)
}

// dial connects as soon as a server listens.
func dial(t *testing.T, network, addr string) net.Conn {
	deadline := time.Now().Add(30 * time.Second)
	for {
		nc, err := net.Dial(network, addr)
		if err == nil {
			return nc
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func ask(t *testing.T, nc net.Conn, header string) string {
	fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", header)
	return read(t, nc)
}

func read(t *testing.T, nc net.Conn) string {
	nc.SetReadDeadline(time.Now().Add(30 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
