package listener_test

import (
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// dup returns a duplicate of l's socket, as code may make it that has l's SyscallConn.
func dup(l *listener.Listener) (f *os.File, err error) {
	rc, err := l.SyscallConn()
	if err != nil {
		return nil, err
	}
	cerr := rc.Control(func(fd uintptr) {
		var n int
		if n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			f = os.NewFile(uintptr(n), "duplicate")
		}
	})
	if cerr != nil {
		return nil, cerr
	}
	return f, err
}

// A socket that is given away while its listener is being closed accepts new clients.
func TestDropNewEndsWhenTheSocketIsGivenAway(t *testing.T) {
	drop := func(r *listener.Raw, give func()) { r.DropNew(); give() }
	race := func(r *listener.Raw, give func()) {
		var wg sync.WaitGroup
		wg.Go(r.DropNew)
		give()
		wg.Wait()
	}
	for name, give := range map[string]func(*listener.Listener) (*os.File, error){"File": (*listener.Listener).File, "SyscallConn": dup} {
		for when, drop := range map[string]func(*listener.Raw, func()){"after": drop, "during": race} {
			t.Run(name+" "+when, func(t *testing.T) {
				l := listen(t, listener.Config{DeferAccept: -1}, "tcp", "127.0.0.1:0")
				var f *os.File
				var err error
				drop(raw(t, l), func() { f, err = give(l) })
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				l.Close()
				c, err := net.DialTimeout("tcp", l.Addr().String(), 900*time.Millisecond)
				if err != nil {
					t.Fatal(err) // a client that is ignored tries again after a second
				}
				c.Close()
			})
		}
	}
}
