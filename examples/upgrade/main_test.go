//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain runs the program instead of the tests if the environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("EXAMPLE_UPGRADE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second

// message returns the next message to systemd that is not in skip.
func message(t *testing.T, conn *net.UnixConn, skip ...string) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	for {
		b := make([]byte, 4096)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b[:n]); !slices.Contains(skip, got) {
			return got
		}
	}
}

// TestUpgradeUnderSystemd upgrades an application of each framework as "systemctl reload" does.
func TestUpgradeUnderSystemd(t *testing.T) {
	for _, framework := range []string{"chi", "echo", "gin"} {
		t.Run(framework, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "upgrade") // a path below t.TempDir may be too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := l.Addr().String()
			l.Close()

			cmd := exec.Command("sh", "-c", `WATCHDOG_PID=$$ exec "$0" "$@"`, os.Args[0], "-framework", framework, "-addr", addr)
			cmd.Env = append(os.Environ(), "EXAMPLE_UPGRADE=1", "GIN_MODE=release", "NOTIFY_SOCKET="+conn.LocalAddr().String(), "WATCHDOG_USEC=200000")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			log, err := os.Create(filepath.Join(dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			cmd.Stdout, cmd.Stderr = log, log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			exited := make(chan struct{})
			go func() {
				cmd.Wait()
				close(exited)
			}()
			defer func() {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				<-exited
				if b, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
					t.Logf("log of the service:\n%s", b)
				}
			}()

			pid := cmd.Process.Pid
			if got := message(t, conn); got != "READY=1" {
				t.Fatalf("sent %q, want READY=1", got)
			}
			for range 3 {
				wantFrom(t, addr, pid)
				syscall.Kill(pid, syscall.SIGHUP)
				if got := message(t, conn, "WATCHDOG=1"); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
					t.Fatalf("sent %q, want RELOADING=1 and MONOTONIC_USEC", got)
				}
				next := 0
				got := message(t, conn, "WATCHDOG=1", "READY=1") // READY=1 of the successor
				if n, err := fmt.Sscanf(got, "MAINPID=%d\nREADY=1", &next); n != 1 || err != nil || next == pid {
					t.Fatalf("sent %q by %d, want MAINPID and READY=1", got, pid)
				}
				for deadline := time.Now().Add(patience); running(pid); time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("the predecessor has not exited")
					}
				}
				pid = next
				for range 2 { // the successor is watched
					if got := message(t, conn, "READY=1"); got != "WATCHDOG=1" {
						t.Fatalf("sent %q, want WATCHDOG=1", got)
					}
				}
			}
			wantFrom(t, addr, pid)
			syscall.Kill(pid, syscall.SIGTERM)
			for deadline := time.Now().Add(patience); running(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the process has not exited")
				}
			}
		})
	}
}

// running reports whether a process exists. On Linux, a zombie, which nobody may wait for, does not
// count.
func running(pid int) bool {
	if runtime.GOOS != "linux" {
		return syscall.Kill(pid, 0) == nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// wantFrom sends a request, which this process must answer.
func wantFrom(t *testing.T, addr string, pid int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if want := fmt.Sprintf("Hey from process %d!\n", pid); err != nil || string(b) != want {
		t.Errorf("got %q, %v; want %q", b, err, want)
	}
}
