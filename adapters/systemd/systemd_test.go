//go:build unix

package systemd_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/adapters/systemd"
)

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

func TestListenOpensASocketWithoutSystemd(t *testing.T) {
	l, err := systemd.Listen(context.Background(), "web", "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
