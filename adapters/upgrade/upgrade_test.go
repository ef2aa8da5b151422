//go:build unix

package upgrade_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// TestUpgradesUnderLoadLoseNothing upgrades again and again while clients send requests on
// keep-alive and on new connections, over TCP, TLS and Unix sockets, some with the PROXY protocol.
func TestUpgradesUnderLoadLoseNothing(t *testing.T) {
	upgrades := 100
	if testing.Short() {
		upgrades = 5
	}
	tcp, secure := freePort(t), freePort(t)
	s := start(t, role{Listen: []string{"tcp " + tcp, "tls " + secure, "unix DIR/s"}, Proxies: true})
	local := s.dir + "/s"
	l := startLoad(
		&client{network: "tcp", addr: tcp, method: "GET"},
		&client{network: "tcp", addr: tcp, method: "POST"},
		&client{network: "tcp", addr: tcp, method: "GET", once: true},
		&client{network: "tcp", addr: tcp, method: "POST", once: true},
		&client{network: "proxy", addr: tcp, method: "POST"},
		&client{network: "proxy", addr: tcp, method: "GET", once: true},
		&client{network: "tls", addr: secure, method: "POST"},
		&client{network: "tls", addr: secure, method: "GET", once: true},
		&client{network: "unix", addr: local, method: "POST"},
		&client{network: "unix", addr: local, method: "GET", once: true},
	)
	seen := map[int]bool{s.pid(): true}
	for range upgrades {
		if l.failed() != nil {
			break
		}
		seen[s.upgrade()] = true
	}
	l.stop(t, upgrades/2)
	if len(seen) < upgrades/2 { // process IDs may recur
		t.Errorf("%d processes, want about %d", len(seen), upgrades+1)
	}
	if strings.Contains(s.logged(), "level=ERROR") {
		t.Error("the log has errors")
	}
}

func TestUpgradeUnderNetHTTP(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}, Strategy: recycling.Goroutine})
	l := startLoad(&client{network: "tcp", addr: addr, method: "POST", once: true})
	for range 3 {
		s.upgrade()
	}
	l.stop(t, 2)
}

func TestApplicationWithItsOwnServerIsUpgraded(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}, Manual: true, Signal: syscall.SIGUSR2})
	l := startLoad(&client{network: "tcp", addr: addr, method: "POST", once: true})
	for range 3 {
		s.upgrade()
	}
	l.stop(t, 2)
}

// keepAlive opens a connection and gets one response on it.
func keepAlive(t *testing.T, addr string) *client {
	t.Helper()
	c := &client{network: "tcp", addr: addr, method: "POST"}
	t.Cleanup(c.drop)
	if err := c.ask(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIdleConnectionIsAnsweredOnceMoreByThePredecessor(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}, IdleTime: 20 * time.Second})
	c := keepAlive(t, addr)
	before := s.pid()
	s.signal(before, syscall.SIGHUP)
	s.await("the successor is ready", func() bool { return s.pid() != before })
	s.awaitLog("this process drains")
	leave(t, s, c)
	if len(c.pids) != 1 || !c.pids[before] {
		t.Errorf("answered by %v, want %d", c.pids, before)
	}
	s.await("the predecessor has exited", func() bool { return !running(before) })
}

// leave sends requests until a response says that the connection ends.
func leave(t *testing.T, s *service, c *client) {
	t.Helper()
	s.await(`a response has "Connection: close"`, func() bool {
		if err := c.ask(); err != nil {
			t.Fatal(err)
		}
		return c.conn == nil
	})
}

func TestIdleConnectionsAreClosedAfterIdleTime(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}, IdleTime: 10 * time.Millisecond})
	c := keepAlive(t, addr)
	s.upgrade()
	if err := c.ask(); err == nil {
		t.Error("the connection is still open")
	}
}

func TestRequestInFlightIsAnsweredAfterAnUpgrade(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}, IdleTime: -1})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	before := s.pid()
	io.WriteString(nc, "GET /slow?1s HTTP/1.1\r\nHost: test\r\n\r\n")
	askOnce(t, "tcp", addr) // so that the server has got the other request
	s.signal(before, syscall.SIGHUP)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "slept" || resp.Header.Get("Pid") != strconv.Itoa(before) {
		t.Errorf("got %q (%v) from %s, want that of %d", body, err, resp.Header.Get("Pid"), before)
	}
	s.await("the predecessor has exited", func() bool { return !running(before) })
}

// TestQueueOfASharedSocketIsServed connects while the only server process is stopped, upgrades, and
// sends the requests later: the connections are in the kernel's queue when one process leaves.
func TestQueueOfASharedSocketIsServed(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}})
	before := s.pid()
	s.signal(before, syscall.SIGSTOP)
	var clients []*client
	for range 50 {
		c := &client{network: "tcp", addr: addr, method: "POST", once: true}
		if err := c.dial(); err != nil {
			t.Fatal(err)
		}
		defer c.drop()
		clients = append(clients, c)
	}
	s.signal(before, syscall.SIGHUP)
	s.signal(before, syscall.SIGCONT)
	s.await("the successor is ready", func() bool { return s.pid() != before })
	for _, c := range clients {
		if err := c.ask(); err != nil {
			t.Error(err)
		}
	}
}

func TestConnectionsPark(t *testing.T) {
	if _, err := os.Stat("/proc/self/fdinfo"); err != nil {
		t.Skip("connections park only on Linux")
	}
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}})
	for i := range 2 { // with sockets of their own, and with inherited ones
		keepAlive(t, addr)
		s.await("a connection is parked", func() bool {
			resp, err := http.Get("http://" + addr + "/parked")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			b, _ := io.ReadAll(resp.Body)
			n, _ := strconv.Atoi(string(b))
			return n > 0
		})
		if i == 0 {
			s.role.IdleTime = time.Millisecond
			s.upgrade()
		}
	}
}

// A predecessor turns TCP_DEFER_ACCEPT off when it stops accepting, for all who share the socket.
func TestOptionsAreSetAgainAfterAnUpgrade(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("TCP_DEFER_ACCEPT is an option of Linux")
	}
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}})
	for range 3 {
		s.await("TCP_DEFER_ACCEPT is set", func() bool {
			defer http.DefaultClient.CloseIdleConnections()
			resp, err := http.Get("http://" + addr + "/defer")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			return err == nil && string(b) == "true <nil>"
		})
		s.upgrade()
	}
}

// A version of the program may listen on fewer addresses than the one before it.
func TestSocketThatTheSuccessorDoesNotWantIsClosed(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr, "named " + freePort(t)}})
	dropped, _ := strings.CutPrefix(s.role.Listen[1], "named ")
	askOnce(t, "tcp", dropped)
	s.plan(planFirst)
	s.upgrade()
	askOnce(t, "tcp", addr)
	if nc, err := net.Dial("tcp", dropped); err == nil {
		nc.Close()
		t.Error("something still listens")
	}
}

func TestListenerWithANameIsPassedOn(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"named " + addr}})
	l := startLoad(&client{network: "tcp", addr: addr, method: "POST", once: true})
	s.upgrade()
	s.upgrade()
	l.stop(t, 2)
}

func TestShutdownAfterUpgrades(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr, "unix DIR/s"}})
	path := s.dir + "/s"
	s.upgrade()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the predecessor has removed the socket: %v", err)
	}
	last := s.upgrade()
	s.signal(last, syscall.SIGTERM)
	s.await("the last process has exited", func() bool { return !running(last) })
	s.awaitLog(fmt.Sprintf("pid=%d ended well", last))
	if _, err := os.Stat(path); err == nil {
		t.Error("the file of the Unix socket is still there")
	}
	if nc, err := net.Dial("tcp", addr); err == nil {
		nc.Close()
		t.Error("something still listens")
	}
}
