//go:build !recycling_nopark

package recycling_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each error of a system call costs at most one connection, or the call is repeated.
func TestServingGoesOnAfterErrorsOfTheSystem(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("starts many processes")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed; it makes the system calls fail")
	}
	for _, tt := range []struct {
		call, errno string
		when        string // which calls fail; empty: all of them for some time
		leaks       bool   // the call is not made, so descriptors stay open
	}{
		{call: "epoll_ctl", errno: "ENOMEM", when: "1"},
		{call: "epoll_ctl", errno: "ENOMEM"},
		{call: "epoll_ctl", errno: "ENOSPC"},         // fs.epoll.max_user_watches
		{call: "accept4,epoll_ctl", errno: "ENOMEM"}, // accepting pauses, and cannot be resumed
		{call: "accept4", errno: "EMFILE", when: "1"},
		{call: "accept4", errno: "EMFILE"},
		{call: "accept4", errno: "ENFILE"},
		{call: "accept4", errno: "ENOBUFS"},
		{call: "accept4", errno: "ENOMEM"},
		{call: "accept4", errno: "ECONNABORTED"},
		{call: "accept4", errno: "EPERM"},
		{call: "accept4", errno: "EPROTO"},
		{call: "accept4", errno: "EINTR", when: "1..20"},
		{call: "fcntl", errno: "EMFILE", when: "1"},
		{call: "fcntl", errno: "ENOMEM"},
		{call: "sendto", errno: "ENOBUFS", when: "1"},
		{call: "sendto", errno: "ENOMEM"},
		{call: "sendto", errno: "EINTR", when: "1..20"},
		{call: "recvfrom", errno: "ENOMEM", when: "1"},
		{call: "recvfrom", errno: "ECONNRESET"},
		{call: "recvfrom", errno: "EINTR", when: "1..20"},
		{call: "sendfile", errno: "ENOMEM", when: "1"},
		{call: "sendfile", errno: "EIO"},
		{call: "sendfile", errno: "EINTR", when: "1..20"},
		{call: "close", errno: "EIO", when: "1", leaks: true},
		{call: "close", errno: "EINTR", leaks: true},
		{call: "getsockname", errno: "ENOBUFS"},
	} {
		t.Run(fmt.Sprint(tt.call, "-", tt.errno, "-", tt.when), func(t *testing.T) {
			t.Parallel()
			c := newChild(t)
			c.serves()
			c.visit()
			c.settles("/open", 1)
			few := c.number("/files")
			inject := fmt.Sprintf("inject=%s:error=%s", tt.call, tt.errno)
			if tt.when != "" {
				inject += ":when=" + tt.when
			}
			stop := c.trace(strace, "-e", "trace="+tt.call, "-e", "signal=none", "-e", inject)
			c.visit()
			stop()
			c.serves()
			if counted := tt.call == "accept4" || tt.call == "epoll_ctl"; counted && tt.when == "" && c.number("/errors") == 0 {
				t.Error("Stats has no errors")
			}
			if !tt.leaks {
				c.settles("/open", 1)
				c.settles("/files", few+1) // a worker may still be busy
			}
		})
	}
}

// trace runs strace on the child until stop is called.
func (c *child) trace(strace string, args ...string) (stop func()) {
	c.t.Helper()
	pid := c.cmd.Process.Pid
	cmd := exec.Command(strace, append([]string{"-f", "-qq", "-o", "/dev/null", "-p", fmt.Sprint(pid)}, args...)...)
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for traced := false; !traced; time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-ended:
			c.t.Skipf("strace may not attach to a process here: %v", err)
		default:
		}
		traced = true
		all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		for _, name := range all {
			b, _ := os.ReadFile(name)
			traced = traced && !strings.Contains(string(b), "TracerPid:\t0\n")
		}
	}
	return func() {
		cmd.Process.Signal(os.Interrupt) // strace detaches
		<-ended
	}
}

// visit uses all features of the child, and ignores failures.
func (c *child) visit() {
	for range 2 {
		for _, path := range []string{"/", "/file", "/sendfile", "/hijack", "/wait"} {
			c.leave(path)
		}
		c.copy(io.Discard, "/sendfile")
	}
}

// leave sends a request and disconnects before it has read the whole response.
func (c *child) leave(path string) {
	nc, err := net.Dial("tcp", c.addr)
	if err != nil {
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(100 * time.Millisecond))
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	if path == "/wait" {
		return
	}
	nc.Read(make([]byte, 100))
}
