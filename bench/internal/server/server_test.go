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
	"os/exec"
	"runtime"
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
	answers := map[string]string{"/yo": "Hey!", "/sleep/1": "slept", "/work/1": "worked"}
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

// wantUsage checks that the CPU time grows when p has work, and that the memory is not zero.
func wantUsage(t *testing.T, p *Process) {
	c := dial(t, p)
	before, err := p.CPU()
	if errors.Is(err, ErrUnknown) && runtime.GOOS != "linux" {
		return
	}
	for range 50 {
		c.get(t, "/yo", "")
	}
	after, err2 := p.CPU()
	if err != nil || err2 != nil || before <= 0 || after <= before {
		t.Errorf("CPU is %v, %v, and %v, %v after 50 requests", before, err, after, err2)
	}
	if runtime.GOOS != "linux" {
		return
	}
	for name, f := range map[string]func() (int64, error){"RSS": p.RSS, "PeakRSS": p.PeakRSS} {
		if n, err := f(); n < 1<<20 || err != nil {
			t.Errorf("%s is %d, %v, want a MiB or more", name, n, err)
		}
	}
}

func TestWorkTakesProcessorTime(t *testing.T) {
	p := start(t, Spec{Server: "net/http"})
	cpu := func() time.Duration {
		d, err := p.CPU()
		if err != nil {
			t.Skip(err)
		}
		return d
	}
	before := cpu()
	dial(t, p).get(t, "/work/100", "")
	// It takes less if the processor was slow during calibration.
	if d := cpu() - before; d < 10*time.Millisecond {
		t.Errorf("100 ms of work took %v", d)
	}
}

func TestCPUAsTheProcessSays(t *testing.T) {
	p := start(t, Spec{Server: "floor"})
	for range 2 {
		d, err := p.reportedCPU()
		if d <= 0 && !errors.Is(err, ErrUnknown) || err != nil && runtime.GOOS == "linux" {
			t.Errorf("CPU is %v, %v", d, err)
		}
	}
	if d, err := (&Process{spec: Spec{Server: "nginx"}}).reportedCPU(); err != ErrUnknown {
		t.Errorf("of a process that does not say: %v, %v, want ErrUnknown", d, err)
	}
}

// wantGone waits until nobody listens on an address.
func wantGone(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		c.Close()
	}
	t.Errorf("%s can still be connected to", addr)
}

// wantStopped stops p and checks that nothing is left of it.
func wantStopped(t *testing.T, p *Process) {
	p.Stop()
	wantGone(t, p.Addr())
	if p.dir != "" {
		if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want it gone", p.dir, err)
		}
	}
	if runtime.GOOS == "linux" {
		if pids, err := group(p.process.Pid()); err == nil {
			t.Errorf("there still are the processes %d", pids)
		}
	}
	p.Stop()
}

func TestContextEndsServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Start(ctx, Spec{Server: "pool"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	cancel()
	<-p.process.Done()
	wantGone(t, p.Addr())
	if p, err := Start(ctx, Spec{Server: "pool"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v, want context.Canceled", p, err)
	}
}

func TestServerEndsWithItsParent(t *testing.T) {
	for _, name := range []string{"recycling", "nginx", "tornado"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needs(t, name)
			if kinds[name].command != nil && runtime.GOOS != "linux" {
				t.Skip("only on Linux")
			}
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, name)
			cmd.Env = append(os.Environ(), role+"=parent", "TMPDIR="+t.TempDir()) // where its files stay
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			addr, err := bufio.NewReader(out).ReadString('\n')
			cmd.Process.Kill()
			cmd.Wait()
			if err != nil {
				t.Fatal(err)
			}
			wantGone(t, strings.TrimSpace(addr))
		})
	}
}

func TestServerThatEndsAtOnce(t *testing.T) {
	t.Setenv(role, "fail")
	p, err := Start(t.Context(), Spec{Server: "floor"})
	if err == nil {
		p.Stop()
		t.Fatal("no error")
	}
	s := err.Error()
	if !strings.Contains(s, "floor") || !strings.HasSuffix(s, "\nline 18\nline 19") || strings.Contains(s, "line 9\n") {
		t.Errorf("%q, want the server's name and the last ten lines of its standard error", err)
	}
}

func TestManyConnectionsAtOnce(t *testing.T) {
	// More than the defaults.
	for name, conns := range map[string]int{"pool": 300, "nginx": 800, "hunchentoot": 150} {
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

func TestProcs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux")
	}
	p := start(t, Spec{Server: "floor", Procs: 3})
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.process.Pid()))
	if err != nil || !strings.Contains(string(env), "\x00GOMAXPROCS=3\x00") {
		t.Errorf("%v, %q, want GOMAXPROCS", err, env)
	}
	p = start(t, Spec{Server: "nginx", Procs: 3})
	var pids []int
	for end := time.Now().Add(20 * time.Second); len(pids) < 4 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		if pids, err = group(p.process.Pid()); err != nil {
			t.Fatal(err)
		}
	}
	if len(pids) != 4 {
		t.Errorf("%d, want a master and three workers", pids)
	}
}

func TestWrongSpec(t *testing.T) {
	for want, s := range map[string]Spec{
		`Server is "apache"`:       {Server: "apache"},
		`Server is ""`:             {},
		`Router is "martini"`:      {Server: "recycling", Router: "martini"},
		`Router is "chi"`:          {Server: "fasthttp", Router: "chi"},
		`Conns is -1`:              {Server: "pool", Conns: -1},
		`Procs is -2`:              {Server: "nginx", Procs: -2},
		`Router is "mux", but ngi`: {Server: "nginx", Router: "mux"},
	} {
		p, err := Start(t.Context(), s)
		if err == nil {
			p.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", s, err, want)
		}
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

func TestAvailable(t *testing.T) {
	for name, k := range kinds {
		if name == "hunchentoot" && testing.Short() {
			continue
		}
		switch ok, why := Available(name); {
		case k.command == nil && !ok, ok && why != "", !ok && !strings.Contains(why, name+" is not installed"):
			t.Errorf("%s: %v, %q", name, ok, why)
		}
	}
	if _, err := exec.LookPath("nginx"); err == nil {
		if ok, why := Available("nginx"); !ok {
			t.Error(why)
		}
	}
	if ok, why := Available("apache"); ok || !strings.Contains(why, "apache") {
		t.Errorf("apache: %v, %q", ok, why)
	}
}

func TestServes(t *testing.T) {
	for _, test := range []struct {
		server, path string
		want         bool
	}{
		{"pool", "/yo", true}, {"pool", "/work/1", true}, {"pool", "/", false}, {"hertz", "/sleep/1", true},
		{"floor", "/sleep/1", true}, {"floor", "/work/1", false}, {"nginx", "/yo", true}, {"nginx", "/yo/1", false},
		{"nginx", "/sleep/1", false}, {"tornado", "/sleep/1", true}, {"apache", "/yo", false},
	} {
		if got := Serves(test.server, test.path); got != test.want {
			t.Errorf("Serves(%q, %q) is %v", test.server, test.path, got)
		}
	}
}
