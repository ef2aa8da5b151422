package upgrade_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUpgradesBetweenNamespaces is TestUpgradesUnderLoadLoseNothing with clients that are on
// another network than the server.
func TestUpgradesBetweenNamespaces(t *testing.T) {
	upgrades := 100
	if testing.Short() {
		upgrades = 3
	}
	here, there := namespaces(t)
	const addr, secure = "192.0.2.1:8080", "192.0.2.1:8443"
	s := start(t, role{Listen: []string{"tcp " + addr, "tls " + secure}}, "ip", "netns", "exec", here)
	from := enter(t, there)
	l := startLoad(
		&client{network: "tcp", addr: addr, method: "GET", from: from},
		&client{network: "tcp", addr: addr, method: "POST", from: from},
		&client{network: "tcp", addr: addr, method: "POST", once: true, from: from},
		&client{network: "tls", addr: secure, method: "POST", from: from},
	)
	for range upgrades {
		s.upgrade()
	}
	l.stop(t, upgrades/2)
}

// namespaces makes two network namespaces with a link between them, on which the first has the
// address 192.0.2.1.
func namespaces(t *testing.T) (server, client string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip (Debian package iproute2) is not installed:", err)
	}
	server, client = fmt.Sprintf("upgrade-s-%d", os.Getpid()), fmt.Sprintf("upgrade-c-%d", os.Getpid())
	for _, name := range []string{server, client} {
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			t.Skipf("no network namespaces here: %s", out)
		}
		t.Cleanup(func() { exec.Command("ip", "netns", "delete", name).Run() })
	}
	for _, args := range [][]string{
		{"-n", server, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", client},
		{"-n", server, "address", "add", "192.0.2.1/30", "dev", "veth0"},
		{"-n", client, "address", "add", "192.0.2.2/30", "dev", "veth0"},
		{"-n", server, "link", "set", "veth0", "up"},
		{"-n", client, "link", "set", "veth0", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Skipf("no link between network namespaces here: ip %v: %s", args, out)
		}
	}
	return server, client
}

// enter returns a function that dials in a network namespace. A connection stays in the namespace
// in which its socket was created.
func enter(t *testing.T, name string) func(func() (net.Conn, error)) (net.Conn, error) {
	t.Helper()
	ns, err := os.Open("/run/netns/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	type result struct {
		nc  net.Conn
		err error
	}
	return func(dial func() (net.Conn, error)) (net.Conn, error) {
		done := make(chan result)
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				done <- result{nil, os.NewSyscallError("setns", err)}
				return
			}
			nc, err := dial()
			done <- result{nc, err}
		}()
		r := <-done
		return r.nc, r.err
	}
}
