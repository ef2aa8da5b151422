package listener_test

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

func TestRawAfterCloseIsErrClosed(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		r := raw(t, l)
		_, own := l.(*listener.Listener)
		if own {
			select {
			case <-r.Closed():
				t.Fatal("Closed before Close")
			default:
			}
		} else if r.Closed() != nil {
			t.Error("Closed is not nil")
		}
		l.Close()
		if own {
			<-r.Closed()
		}
		if fd, err := r.Accept(new(listener.Addr)); fd != -1 || err != net.ErrClosed {
			t.Errorf("Accept: %d, %v", fd, err)
		}
		if err := r.Control(func(fd int) { t.Errorf("Control ran with %d", fd) }); err != net.ErrClosed {
			t.Errorf("Control: %v", err)
		}
	})
}

func TestCloseTakesSocketOutOfEpollSet(t *testing.T) {
	forEachNetwork(t, func(t *testing.T, network string) {
		ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(ep)
		l := listen(t, listener.Config{}, network, address(t, network))
		r := raw(t, l)
		if err := r.Control(func(fd int) {
			err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN})
		}); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		// Accept makes a duplicate, which must not keep the socket alive.
		dial(t, l)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		dial(t, l)
		wait(t, r)
		events := make([]unix.EpollEvent, 1)
		if n, err := unix.EpollWait(ep, events, 0); n != 1 {
			t.Errorf("before Close: %d events, %v", n, err)
		}
		l.Close()
		if n, err := unix.EpollWait(ep, events, 0); n != 0 {
			t.Errorf("after Close: %d events, %v", n, err)
		}
	})
}

// Descriptor numbers are reused at once, so the use of a stale one would show up as ENOTSOCK,
// EINVAL, or a connection of other code.
func TestConcurrentCloseAndAccept(t *testing.T) {
	for _, s := range sources {
		t.Run(s.name, func(t *testing.T) {
			for range 20 {
				l := s.listen(t, "tcp", "127.0.0.1:0")
				r := raw(t, l)
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						var a listener.Addr
						for {
							fd, err := r.Accept(&a)
							switch err {
							case nil:
								unix.Close(fd)
							case unix.EAGAIN:
							case net.ErrClosed:
								return
							default:
								t.Errorf("Accept: %v", err)
								return
							}
						}
					})
				}
				wg.Go(func() {
					for {
						if r.Control(func(fd int) {
							if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
								t.Errorf("Control: %v", err)
							}
						}) != nil {
							return
						}
					}
				})
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				wg.Go(func() { l.Close() })
				wg.Go(func() { l.Close() })
				for range 20 {
					f, err := os.Open(os.DevNull)
					if err != nil {
						t.Error(err)
						break
					}
					f.Close()
				}
				wg.Wait()
			}
		})
	}
}

// exec.Cmd calls Fd on its files, which makes the socket blocking if package net created the file.
func TestRawAcceptDoesNotBlockOnASharedSocket(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		r := raw(t, l)
		f := fileOf(t, l)
		if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Accept(new(listener.Addr)); err != unix.EAGAIN {
			t.Errorf("got %v, want EAGAIN", err)
		}

		inherited, err := listener.FromFile(f)
		if err != nil {
			t.Fatal(err)
		}
		defer inherited.Close()
		if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
			t.Fatal(err)
		}
		if _, err := raw(t, inherited).Accept(new(listener.Addr)); err != unix.EAGAIN {
			t.Errorf("inherited: got %v, want EAGAIN", err)
		}
	})
}

func TestNoDescriptorLeaks(t *testing.T) {
	path := address(t, "unix")
	round := func() {
		for _, network := range []string{"tcp", "unix"} {
			a := "127.0.0.1:0"
			if network == "unix" {
				a = path
			}
			l := listen(t, listener.Config{Backlog: 5}, network, a)
			r := raw(t, l)
			c := dial(t, l)
			wait(t, r)
			fd, err := r.Accept(new(listener.Addr))
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
			c.Close()
			c = dial(t, l)
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			c.Close()
			f, err := l.File()
			if err != nil {
				t.Fatal(err)
			}
			l2, err := listener.FromFile(f)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			if _, err := (&listener.Config{Backlog: -1}).FromFile(f); err == nil {
				t.Error("no error")
			}
			if network == "tcp" {
				if _, err := listener.Listen(t.Context(), network, l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("got %v", err)
				}
			}
			l.Close()
			l2.Close()
		}
	}
	round() // the poller opens its descriptors
	before := descriptors(t)
	for range 5 {
		round()
	}
	if after := descriptors(t); after > before { // fewer: those of another test were closed late
		t.Errorf("%d descriptors before, %d after:\n%s", before, after, open(t))
	}
}

func descriptors(t testing.TB) int {
	return strings.Count(open(t), "\n")
}

// open lists the open descriptors.
func open(t testing.TB) string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil { // skip ReadDir's own
			b.WriteString(e.Name() + " " + target + "\n")
		}
	}
	return b.String()
}

// Other processes may make the socket blocking again at any moment, so also just before accept4.
func TestRawAcceptReturnsWhileTheSocketIsMadeBlocking(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		r := raw(t, l)
		f := fileOf(t, l)
		fd := int(f.Fd())
		var stop atomic.Bool
		var other sync.WaitGroup
		other.Go(func() {
			for !stop.Load() {
				unix.SetNonblock(fd, false)
				runtime.Gosched()
			}
		})
		for range 200 {
			if _, err := r.Accept(new(listener.Addr)); err != unix.EAGAIN {
				t.Errorf("got %v, want EAGAIN", err)
				break
			}
		}
		stop.Store(true)
		other.Wait()
	})
}
