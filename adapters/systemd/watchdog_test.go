//go:build unix

package systemd_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

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

// Under net/http a server without connections has no worker either, so it looks closed.
func TestWatchdogOutlivesLameDuckWithoutConnections(t *testing.T) {
	m := newManager(t)
	f, a := socket(t, "tcp", "127.0.0.1:0")
	m.start("lame", []*os.File{f}, "WATCHDOG_USEC=20000", "RECYCLING_STRATEGY=goroutine")
	m.want("READY=1", "WATCHDOG=1")
	m.cmd.Process.Signal(syscall.SIGTERM)
	m.awaitMessage("STOPPING=1")
	m.want("WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")
	wantServed(t, "tcp", a)
}
