package listener_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

func TestChildTakesOver(t *testing.T) {
	forEachNetwork(t, func(t *testing.T, network string) {
		l := listen(t, listener.Config{}, network, address(t, network))
		c := dial(t, l) // waits in the backlog
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), childEnv+"=1", "GORACE=atexit_sleep_ms=0")
		cmd.Stderr = os.Stderr
		cmd.ExtraFiles = []*os.File{f}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		l.SetUnlinkOnClose(false)
		l.Close()
		got, err := io.ReadAll(c)
		if string(got) != "child" {
			t.Errorf("got %q, %v", got, err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestFileIsNonblockingAndCloseOnExec(t *testing.T) {
	l := listen(t, listener.Config{}, "tcp", "127.0.0.1:0")
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wantFlags(t, "File's", int(f.Fd()))
}

func TestFromFileListensOnTheSameSocket(t *testing.T) {
	forEachNetwork(t, func(t *testing.T, network string) {
		first, err := net.Listen(network, address(t, network))
		if err != nil {
			t.Fatal(err)
		}
		f := fileOf(t, first)
		if u, ok := first.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		first.Close()
		l, err := listener.FromFile(f)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f.Close()
		if l.Addr().String() != first.Addr().String() || l.Addr().Network() != first.Addr().Network() {
			t.Errorf("address %v, want %v", l.Addr(), first.Addr())
		}
		r := raw(t, l)
		if err := r.Control(func(fd int) { wantFlags(t, "inherited", fd) }); err != nil {
			t.Error(err)
		}
		dial(t, l)
		fd, _ := accept(t, r)
		if network != "unix" {
			if got, want := keepAlive(t, fd), [4]int{1, 15, 15, 9}; got != want {
				t.Errorf("keep-alive %v, want %v", got, want)
			}
			return
		}
		l.Close()
		if _, err := os.Stat(l.Addr().String()); err != nil {
			t.Errorf("the path is not ours to remove: %v", err)
		}
	})
}

func TestFromFileSetsOptions(t *testing.T) {
	first := listen(t, listener.Config{Backlog: 5}, "tcp", "127.0.0.1:0")
	f, err := first.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, tt := range []struct {
		config        listener.Config
		backlog, wait int
	}{
		{listener.Config{}, 5, 1},
		{listener.Config{Backlog: 6, DeferAccept: -1}, 6, 0},
		{listener.Config{DeferAccept: 3 * time.Second}, 6, 3},
	} {
		l, err := tt.config.FromFile(f)
		if err != nil {
			t.Fatal(err)
		}
		onDescriptor(t, l, func(fd int) {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil || int(info.Sacked) != tt.backlog {
				t.Errorf("%+v: backlog %d, %v; want %d", tt.config, info.Sacked, err, tt.backlog)
			}
			if got := getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT); got != tt.wait {
				t.Errorf("%+v: TCP_DEFER_ACCEPT %d, want %d", tt.config, got, tt.wait)
			}
		})
		l.Close()
	}
}

func TestFromFileWantsAListeningStreamSocket(t *testing.T) {
	file := func(fd int, err error) *os.File {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "f")
		t.Cleanup(func() { f.Close() })
		return f
	}
	regular, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer regular.Close()
	closed := file(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	closed.Close()
	for _, tt := range []struct {
		name string
		f    *os.File
		want string
	}{
		{"regular file", regular, "/f\": getsockopt SO_TYPE: socket operation on non-socket"},
		{"closed file", closed, "use of closed file"},
		{"no file", nil, "invalid argument"},
		{"datagram socket", file(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)), `listener: file "f": not a stream socket`},
		{"socket that does not listen", file(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)), `listener: file "f": not a listening socket`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := listener.FromFile(tt.f)
			if err == nil {
				l.Close()
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), "listener: file") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestPathIsRemovedIfItIsTheOneAtTheFirstCallWithTrue has another file take the path before that
// call or after it.
func TestPathIsRemovedIfItIsTheOneAtTheFirstCallWithTrue(t *testing.T) {
	on, off := true, false
	for name, c := range map[string]struct {
		steps []*bool // calls of SetUnlinkOnClose; nil means that another file takes the path
		left  bool    // the path is still there after Close
	}{
		"no call":               {nil, true},
		"false":                 {[]*bool{&off}, true},
		"true":                  {[]*bool{&on}, false},
		"true, then false":      {[]*bool{&on, &off}, true},
		"replaced before true":  {[]*bool{&off, nil, &on}, false},
		"replaced after true":   {[]*bool{&on, nil}, true},
		"replaced between true": {[]*bool{&on, &off, nil, &on}, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := address(t, "unix")
			first := listen(t, listener.Config{}, "unix", path)
			f, err := first.File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			l, err := listener.FromFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, unlink := range c.steps {
				if unlink != nil {
					l.SetUnlinkOnClose(*unlink)
					continue
				}
				if err := os.Remove(path); err != nil { // its inode is not reused: first is open
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); (err == nil) != c.left {
				t.Errorf("after Close the path is there: %v, want %v", err == nil, c.left)
			}
		})
	}
}

// A process that inherits a socket must not make it blocking, not even for a moment: the accept
// calls of other processes may block then.
func TestFromFileKeepsTheSocketNonblocking(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		f := fileOf(t, l)
		rc, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var stop, blocking atomic.Bool
		var looking sync.WaitGroup
		looking.Go(func() {
			rc.Control(func(fd uintptr) {
				for !stop.Load() {
					flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
					if err != nil || flags&unix.O_NONBLOCK == 0 {
						blocking.Store(true)
					}
				}
			})
		})
		for range 2000 {
			inherited, err := listener.FromFile(f)
			if err != nil {
				t.Fatal(err)
			}
			inherited.Close()
		}
		stop.Store(true)
		looking.Wait()
		if blocking.Load() {
			t.Error("the socket was blocking for a moment")
		}
	})
}

// fileOf returns the File of l, which is closed when the test ends.
func fileOf(t *testing.T, l net.Listener) *os.File {
	t.Helper()
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
