package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// role is the environment variable that says which program the test binary acts as.
const role = "BENCH_SERVER_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "fail":
		for i := range 20 {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		os.Exit(1)
	case "parent":
		parent(os.Args[1])
	}
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, Main(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// parent starts a server, prints its address, and leaves it running.
func parent(server string) {
	os.Unsetenv(role)
	p, err := Start(context.Background(), Spec{Server: server})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(p.Addr())
	select {}
}

// needs skips a test if the server is not available here.
func needs(t *testing.T, server string) {
	t.Helper()
	if server == "hunchentoot" && testing.Short() {
		t.Skip("hunchentoot takes long to start, and minutes the first time")
	}
	if ok, why := Available(server); !ok {
		t.Skip(why)
	}
}

func start(t *testing.T, s Spec) *Process {
	t.Helper()
	needs(t, s.Server)
	p, err := Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// forEach calls f for each server with each of its routers.
func forEach(t *testing.T, f func(t *testing.T, s Spec)) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		of := []string{""}
		if kinds[name].routers {
			of = slices.Sorted(maps.Keys(routers))
		}
		for _, router := range of {
			s := Spec{Server: name, Router: router}
			t.Run(s.String(), func(t *testing.T) { f(t, s) })
		}
	}
}

// A client is one connection.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, p *Process) *client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return &client{c, bufio.NewReader(c)}
}

func (c *client) send(t *testing.T, path, header string) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, header); err != nil {
		t.Fatal(err)
	}
}

func (c *client) receive(t *testing.T) (status int, body string) {
	t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func (c *client) get(t *testing.T, path, header string) (status int, body string) {
	t.Helper()
	c.send(t, path, header)
	return c.receive(t)
}

func (c *client) wantClosed(t *testing.T) {
	t.Helper()
	n, err := c.in.Read(make([]byte, 1))
	var timeout net.Error
	if n > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("read %d bytes, %v, want a connection that is closed", n, err)
	}
}

func TestServersAnswerAlikeAndStop(t *testing.T) {
	answers := map[string]string{
		"/yo": "Hey!", "/sleep/1": "slept", "/work/1": "worked", "/bytes/0": "", "/bytes/100000": strings.Repeat("x", 100_000),
	}
	forEach(t, func(t *testing.T, s Spec) {
		t.Parallel()
		p := start(t, s)
		for path, body := range answers {
			wantStatus, want := http.StatusOK, body
			if !Serves(s.Server, path) {
				wantStatus, want = http.StatusNotFound, ""
			}
			stays := dial(t, p)
			for range 2 {
				if status, got := stays.get(t, path, ""); status != wantStatus || want != "" && got != want {
					t.Errorf("%s: %d %q, want %d %q", path, status, got, wantStatus, want)
				}
			}
			once := dial(t, p)
			if status, got := once.get(t, path, "Connection: close\r\n"); status != wantStatus || want != "" && got != want {
				t.Errorf("%s, close: %d %q, want %d %q", path, status, got, wantStatus, want)
			}
			once.wantClosed(t)
		}
		wantUsage(t, p)
		wantStopped(t, p)
	})
}

func TestManyConnectionsAtOnce(t *testing.T) {
	// More than the defaults.
	for name, conns := range map[string]int{"fixed": 300, "nginx": 800, "hunchentoot": 150} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Spec{Server: name, Conns: conns, Procs: 1})
			for i := range conns {
				if status, body := dial(t, p).get(t, "/yo", ""); status != http.StatusOK || body != "Hey!" {
					t.Fatalf("connection %d: %d %q", i, status, body)
				}
			}
		})
	}
}

func TestMainTakesNoOthers(t *testing.T) {
	for args, want := range map[string]string{
		"-server nginx":                 "nginx",
		"-server floor what":            "what",
		"-server apache":                "apache",
		"-server floor -addr 127.0.0.1": "127.0.0.1",
	} {
		if err := Main(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s named", args, err, want)
		}
	}
}
