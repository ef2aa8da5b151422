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
	"runtime"
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

const patience = 20 * time.Second

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

func TestSocketsOfSystemdAreServed(t *testing.T) {
	for _, role := range []string{"run", "names"} {
		t.Run(role, func(t *testing.T) {
			m := newManager(t)
			f1, a1 := socket(t, "tcp", "127.0.0.1:0")
			f2, a2 := socket(t, "unix", filepath.Join(m.dir, "s"))
			f3, a3 := socket(t, "tcp", "127.0.0.1:0")
			m.start(role, []*os.File{f1, f2, f3}, "LISTEN_FDNAMES=web:local:web")
			m.want("READY=1")
			wantServed(t, "tcp", a1)
			wantServed(t, "unix", a2)
			wantServed(t, "tcp", a3)
			m.stopBusy("tcp", a1)
			if _, err := os.Stat(a2); err != nil {
				t.Errorf("the socket unit's path is gone: %v", err)
			}
		})
	}
}

func TestSocketsWithoutNamesAreServed(t *testing.T) {
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	m.start("run", []*os.File{f})
	m.want("READY=1")
	wantServed(t, "tcp", a)
	m.stop()
}

func TestConnectionsOfActivatedSocketsPark(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("connections park only on Linux")
	}
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	m.start("run", []*os.File{f})
	m.want("READY=1")
	nc, err := net.Dial("tcp", a)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	if _, err := nc.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		got, err := get("tcp", a, "/parked")
		if err != nil {
			t.Fatal(err)
		}
		if got == "1" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s connections are parked, want 1", got)
		}
	}
}

func TestServiceWithoutSocketUnitListensItself(t *testing.T) {
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	f.Close() // the address is free now
	m.start("run", nil, "ADDR="+a)
	m.want("READY=1")
	wantServed(t, "tcp", a)
	m.stop()
	m.want("STOPPING=1")
}

func TestServiceWithoutSystemdServes(t *testing.T) {
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	f.Close()
	m.start("run", nil, "ADDR="+a, "NOTIFY_SOCKET=", "WATCHDOG_USEC=")
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := get("tcp", a, "/"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	m.stop()
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("the service sent %q", got)
	}
}

func TestApplicationWithItsOwnServerNotifies(t *testing.T) {
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	m.start("use", []*os.File{f})
	m.want("READY=1")
	wantServed(t, "tcp", a)
	m.stopBusy("tcp", a)
}

func TestStoppingIsSentBeforeLameDuck(t *testing.T) {
	m := newManager(t)
	f, _ := socket(t, "tcp", "127.0.0.1:0")
	m.start("lame", []*os.File{f})
	m.want("READY=1")
	m.cmd.Process.Signal(syscall.SIGTERM)
	m.want("STOPPING=1")
	for ended := false; !ended; { // a later signal ends the process
		m.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-m.done:
			ended = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	if code := m.exit(); code == 0 {
		t.Errorf("exit code %d, want the signal", code)
	}
}

func TestBadEnvironmentIsAnError(t *testing.T) {
	stream, _ := socket(t, "tcp", "127.0.0.1:0")
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	packet, err := pc.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer packet.Close()
	for _, tt := range []struct {
		name string
		file *os.File
		env  []string
		want string
	}{
		{"PID is no number", stream, []string{"LISTEN_PID=me"}, `LISTEN_PID is "me", want a process ID`},
		{"PID is missing", stream, []string{"LISTEN_PID="}, `LISTEN_PID is "", want a process ID`},
		{"FDS is no number", stream, []string{"LISTEN_FDS=two"}, `LISTEN_FDS is "two", want a number of sockets`},
		{"FDS is negative", stream, []string{"LISTEN_FDS=-1"}, `LISTEN_FDS is "-1", want a number of sockets`},
		{"FDS is too large", stream, []string{"LISTEN_FDS=2147483647"}, `LISTEN_FDS is 2147483647, but descriptor`},
		{"FDS is out of range", stream, []string{"LISTEN_FDS=99999999999999999999"}, `LISTEN_FDS is "99999999999999999999", want a number of sockets`},
		{"too few names", stream, []string{"LISTEN_FDNAMES=a:b"}, `LISTEN_FDNAMES is "a:b", which has 2 names, but LISTEN_FDS is 1`},
		{"not a stream", packet, []string{"LISTEN_FDNAMES=dns"}, `socket "dns": listener: file "dns": not a stream socket`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newManager(t)
			m.start("run", []*os.File{tt.file}, tt.env...)
			if code := m.exit(); code != 1 || !strings.Contains(m.logged(), tt.want) {
				t.Errorf("exit code %d, want an error with %s", code, tt.want)
			}
			if got := m.next(time.Millisecond); got != "" {
				t.Errorf("the service sent %q", got)
			}
		})
	}
}

func TestSocketsOfAnotherProcessAreNotTaken(t *testing.T) {
	m := newManager(t)
	f, _ := socket(t, "tcp", "127.0.0.1:0")
	m.start("names", []*os.File{f}, "LISTEN_PID=1")
	if code := m.exit(); code != 1 || !strings.Contains(m.logged(), "LISTEN_PID is 1, but this process is") {
		t.Errorf("exit code %d, want an error that names LISTEN_PID", code)
	}
}

func TestRestartRefusesNoConnection(t *testing.T) {
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	over := make(chan struct{})
	errs := make(chan error, 2)
	for range cap(errs) {
		go func() {
			for {
				if _, err := get("tcp", a, "/"); err != nil {
					errs <- err
					return
				}
				select {
				case <-over:
					errs <- nil
					return
				default:
				}
			}
		}()
	}
	for range 5 {
		m.start("run", []*os.File{f})
		m.awaitMessage("READY=1")
		wantServed(t, "tcp", a)
		m.stop()
		m.want("STOPPING=1")
	}
	m.start("run", []*os.File{f})
	close(over)
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestWatchdogIsToldWhileTheCheckSucceeds(t *testing.T) {
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	f.Close()
	m.start("sick", nil, "ADDR="+a, "WATCHDOG_USEC=100000")
	m.want("READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")
	toggle(t, a)
	m.awaitLog("the server does not work.*err=sick", 1)
	for m.next(time.Millisecond) != "" { // sent before that
	}
	m.awaitLog("the server does not work.*err=sick", 4)
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("the service sent %q", got)
	}
	toggle(t, a)
	m.want("WATCHDOG=1", "WATCHDOG=1")
	m.stopBusy("tcp", a)
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("the service sent %q after STOPPING=1", got)
	}
}

func toggle(t *testing.T, a string) {
	t.Helper()
	if _, err := get("tcp", a, "/toggle"); err != nil {
		t.Fatal(err)
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

func TestWatchdogIsNotToldWhileAcceptingIsStuck(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kernel's queue is looked at only on Linux")
	}
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	f.Close()
	m.start("stuck", nil, "ADDR="+a, "WATCHDOG_USEC=100000")
	m.want("READY=1", "WATCHDOG=1", "WATCHDOG=1")
	for range 2 { // the second waits in the kernel
		nc, err := net.Dial("tcp", a)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	}
	m.awaitLog("the server does not work.*connections wait, and none makes progress", 1)
	for m.next(time.Millisecond) != "" {
	}
	m.awaitLog("the server does not work.*connections wait, and none makes progress", 4)
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("the service sent %q", got)
	}
	m.cmd.Process.Signal(syscall.SIGUSR1)
	m.want("WATCHDOG=1")
}

func TestSuccessorTakesTheWatchdogOfItsParent(t *testing.T) {
	m := newManager(t)
	f, _ := socket(t, "tcp", "127.0.0.1:0")
	m.start("successor", []*os.File{f}, "WATCHDOG_USEC=100000")
	m.want("READY=1", "WATCHDOG=1", "WATCHDOG=1")
	m.stop()
}

func TestWatchdogOfAnotherProcessIsIgnored(t *testing.T) {
	for _, env := range []string{"WATCHDOG_USEC=x", "WATCHDOG_USEC=0"} {
		m := newManager(t)
		f, a := socket(t, "tcp", "127.0.0.1:0")
		m.start("run", []*os.File{f}, env)
		m.want("READY=1")
		m.awaitLog("there will be no WATCHDOG=1", 1)
		wantServed(t, "tcp", a)
		m.stop()
	}
}

func TestSendEndsWithAnotherMainProcess(t *testing.T) {
	m := newManager(t)
	m.start("send", nil)
	if code := m.exit(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	m.want("STATUS=one")
	got := m.next(patience)
	var usec int64
	if n, err := fmt.Sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%d", &usec); runtime.GOOS == "linux" && (n != 1 || err != nil || usec <= 0) {
		t.Errorf("the service sent %q", got)
	}
	m.want(fmt.Sprintf("MAINPID=%d\nREADY=1", m.cmd.Process.Pid), "STATUS=two")
	m.want(fmt.Sprintf("MAINPID=%d\nREADY=1", os.Getpid()))
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("the service sent %q after another process became the main one", got)
	}
}

func TestSocketActivateStartsTheService(t *testing.T) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is not installed:", err)
	}
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	f.Close()
	path := filepath.Join(m.dir, "s")
	m.cmd = exec.Command(activate, "-l", a, "-l", path, "--fdname=web:local",
		"-E", roleEnv+"=run", "-E", "NOTIFY_SOCKET="+m.conn.LocalAddr().String(), os.Args[0])
	m.run()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // until it listens
		if _, err := os.Stat(path); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	wantServed(t, "tcp", a) // starts the service
	m.want("READY=1")
	wantServed(t, "unix", path)
	m.stop()
	m.want("STOPPING=1")
}
