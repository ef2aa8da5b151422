package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

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
	p, err := Start(ctx, Spec{Server: "fixed"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	cancel()
	<-p.process.Done()
	wantGone(t, p.Addr())
	if p, err := Start(ctx, Spec{Server: "fixed"}); !errors.Is(err, context.Canceled) {
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
			cmd.Env = append(os.Environ(), role+"=parent", "TMPDIR="+t.TempDir()) // for its files
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
