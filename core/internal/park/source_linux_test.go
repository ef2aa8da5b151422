//go:build !recycling_nopark

package park

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// leadInBackground leads until the set is closed, and returns a channel of the connections.
func (f *fixture) leadInBackground() <-chan *Conn {
	ready := make(chan *Conn, 16)
	go func() {
		defer close(ready)
		for {
			batch, err := f.Lead(nil)
			if err != nil {
				return
			}
			for _, c := range batch {
				ready <- c
			}
		}
	}()
	return ready
}

// silent fails the test unless the set soon has nothing to report.
func (f *fixture) silent(t *testing.T) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		var events [8]unix.EpollEvent
		n, err := unix.EpollWait(f.epfd, events[:], 0)
		if n == 0 {
			return
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("the set goes on to report %d events, %v", n, err)
		}
	}
}

// A listener is closed here while another process may have a duplicate of it.
func TestListenerThatIsClosedHereAndOpenElsewhereIsLeft(t *testing.T) {
	f := newFixture(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := listener.NewRaw(l)
	failed := make(chan error, 1)
	if err := f.Listen(raw, false, f.newConn, func(err error) { failed <- err }); err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l.Close()
	ready := f.leadInBackground()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f.silent(t)
	f.Set.Close()
	for c := range ready {
		t.Error("a connection of the other process was accepted")
		c.Close()
	}
	f.Unlisten(raw)
	if len(failed) > 0 {
		t.Error(<-failed) // whoever closed it knows already
	}
}

// Other code has shut down the listening socket, which then reports readiness forever.
func TestListenerThatWasShutDownFails(t *testing.T) {
	f := newFixture(t, nil)
	f.Unlisten(f.raw)
	failed := make(chan error, 1)
	if err := f.Listen(f.raw, false, f.newConn, func(err error) { failed <- err }); err != nil {
		t.Fatal(err)
	}
	ready := f.leadInBackground()
	f.raw.Control(func(fd int) { unix.Shutdown(fd, unix.SHUT_RDWR) })
	select {
	case err := <-failed:
		if !errors.Is(err, unix.EINVAL) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("nobody was told")
	}
	f.silent(t)
	f.Set.Close()
	for range ready {
	}
}

// While the epoll set rejects the listening socket, registering it is retried.
func TestAcceptingGoesOnOnceTheSetTakesTheListener(t *testing.T) {
	f := newFixture(t, nil)
	f.config.Logf = func(string, ...any) {}
	src := f.sources[0]
	f.mu.Lock()
	epfd := f.epfd
	f.epfd = -1
	f.mu.Unlock()
	src.closeLocked()
	f.rewatch(src)
	for begin := time.Now(); f.config.Errors.Poll.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("it is not tried again")
		}
	}
	f.mu.Lock()
	f.epfd = epfd
	f.mu.Unlock()
	f.dial(t)
	f.lead(t).Close()
}

// listenEvents returns the events for which the listening socket is in the set, in the format of
// proc(5); "" if it is not in the set.
func (f *fixture) listenEvents(t *testing.T) string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	src := f.sources[len(f.sources)-1]
	info, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", src.epfd))
	if err != nil {
		t.Skip(err)
	}
	var listening int
	f.raw.Control(func(fd int) { listening = fd })
	for line := range strings.Lines(string(info)) {
		var fd int
		var events string
		if n, _ := fmt.Sscanf(line, "tfd: %d events: %s", &fd, &events); n == 2 && fd == listening {
			return events
		}
	}
	return ""
}

func TestSharedListenerIsSharedAfterARest(t *testing.T) {
	for _, shared := range []bool{false, true} {
		f := newFixture(t, nil)
		f.Unlisten(f.raw)
		if err := f.Listen(f.raw, shared, f.newConn, nil); err != nil {
			t.Fatal(err)
		}
		before := f.listenEvents(t)
		if before == "" {
			t.Skip("this system does not tell")
		}
		f.pauseAcceptFor(f.sources[len(f.sources)-1], time.Millisecond)
		var after string
		for begin := time.Now(); after == "" && time.Since(begin) < 5*time.Second; time.Sleep(time.Millisecond) {
			after = f.listenEvents(t)
		}
		if after != before {
			t.Errorf("shared %v: events %q after a rest, %q before", shared, after, before)
		}
	}
}

func TestUnlistenReturnsWhatWasNotAccepted(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	f.dial(t)
	rest := f.Unlisten(f.raw)
	if len(rest) != 2 {
		t.Errorf("%d connections, want 2", len(rest))
	}
	for _, c := range rest {
		c.Close()
	}
}

func TestListenerThatAnotherProcessHoldsLeavesTheSet(t *testing.T) {
	set, err := NewSet(Config{Parks: true})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	l, err := (&listener.Config{DeferAccept: -1}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := listener.NewRaw(l)
	if err := set.Listen(raw, false, func(*listener.Addr) *Conn { return &Conn{Owner: nobody{}} }, nil); err != nil {
		t.Fatal(err)
	}
	file, err := l.File() // as for a child process
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n := set.poll(); n != 0 {
		t.Errorf("%d events of a socket that is another's now", n)
	}
}
