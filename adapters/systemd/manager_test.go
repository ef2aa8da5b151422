//go:build unix

package systemd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A manager does what systemd does for a service.
type manager struct {
	t    *testing.T
	dir  string
	conn *net.UnixConn // NOTIFY_SOCKET
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has exited

	mu  sync.Mutex
	log bytes.Buffer // guarded by mu
}

const patience = 20 * time.Second

// Write adds to the log.
func (m *manager) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.Write(p)
}

func (m *manager) logged() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.String()
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "systemd") // a path below t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{t: t, dir: dir, conn: conn}
}

// start starts a service with these sockets and additional variables. It sets LISTEN_PID as systemd
// does, in the process itself.
func (m *manager) start(role string, sockets []*os.File, env ...string) {
	m.t.Helper()
	m.cmd = exec.Command("sh", "-c", `test -z "$LISTEN_FDS" || export LISTEN_PID=${LISTEN_PID-$$}
		test -z "$WATCHDOG_USEC" || export WATCHDOG_PID=$$
		exec "$0"`, os.Args[0])
	m.cmd.Env = append(os.Environ(), roleEnv+"="+role, "NOTIFY_SOCKET="+m.conn.LocalAddr().String())
	if len(sockets) > 0 {
		m.cmd.Env = append(m.cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(sockets)))
	}
	m.cmd.Env = append(m.cmd.Env, env...)
	m.cmd.ExtraFiles = sockets
	m.run()
}

func (m *manager) run() {
	m.t.Helper()
	m.cmd.Stdout, m.cmd.Stderr = m, m
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.done = make(chan struct{})
	go m.reap(m.cmd, m.done)
	m.t.Cleanup(m.kill)
}

func (m *manager) reap(cmd *exec.Cmd, done chan<- struct{}) {
	cmd.Wait()
	close(done)
}

func (m *manager) kill() {
	m.cmd.Process.Kill()
	<-m.done
	if m.t.Failed() {
		m.t.Logf("log of the service:\n%s", m.logged())
	}
}

// next returns the next message, or "" if none arrives for d.
func (m *manager) next(d time.Duration) string {
	m.t.Helper()
	b := make([]byte, 4096)
	m.conn.SetReadDeadline(time.Now().Add(d))
	n, err := m.conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

// want reads the next messages.
func (m *manager) want(messages ...string) {
	m.t.Helper()
	for _, want := range messages {
		if got := m.next(patience); got != want {
			m.t.Fatalf("the service sent %q, want %q", got, want)
		}
	}
}

// awaitMessage skips messages until this one arrives.
func (m *manager) awaitMessage(want string) {
	m.t.Helper()
	for {
		switch got := m.next(patience); got {
		case want:
			return
		case "":
			m.t.Fatalf("the service did not send %q", want)
		}
	}
}

// exit waits for the exit of the process, and returns its code.
func (m *manager) exit() int {
	m.t.Helper()
	select {
	case <-m.done:
	case <-time.After(patience):
		m.t.Fatal("the service has not exited")
	}
	return m.cmd.ProcessState.ExitCode()
}

// stop sends SIGTERM. The service must then exit with code 0.
func (m *manager) stop() {
	m.t.Helper()
	m.cmd.Process.Signal(syscall.SIGTERM)
	if code := m.exit(); code != 0 {
		m.t.Fatalf("exit code %d", code)
	}
}

// stopBusy sends SIGTERM while a request is in flight, so that the server has to drain, and waits
// for STOPPING=1. After that it ends the request; the service must then exit with code 0.
func (m *manager) stopBusy(network, address string) {
	m.t.Helper()
	nc, err := net.Dial(network, address)
	if err != nil {
		m.t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, "GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")
	if _, err := nc.Read(make([]byte, 1)); err != nil {
		m.t.Fatal(err)
	}
	m.cmd.Process.Signal(syscall.SIGTERM)
	m.awaitMessage("STOPPING=1")
	nc.Close()
	if code := m.exit(); code != 0 {
		m.t.Fatalf("exit code %d", code)
	}
}

// awaitLog waits until the log has n lines with these parts, which ".*" separates.
func (m *manager) awaitLog(parts string, n int) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		count := 0
		for line := range strings.Lines(m.logged()) {
			has := true
			for _, part := range strings.Split(parts, ".*") {
				has = has && strings.Contains(line, part)
			}
			if has {
				count++
			}
		}
		if count >= n {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%d lines %s, want %d", count, parts, n)
		}
	}
}

// socket opens a listening socket, and returns its file and address.
func socket(t *testing.T, network, address string) (*os.File, string) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, l.Addr().String()
}

// get requests path on a new connection.
func get(network, address, path string) (string, error) {
	tr := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	resp, err := (&http.Client{Transport: tr, Timeout: patience}).Get("http://test" + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func wantServed(t *testing.T, network, address string) {
	t.Helper()
	if got, err := get(network, address, "/"); err != nil || got != address {
		t.Errorf("%s answers %q, %v", address, got, err)
	}
}
