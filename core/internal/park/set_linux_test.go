//go:build linux && !recycling_nopark

package park

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// A fixture is a Set that listens, and records what it did.
type fixture struct {
	*Set
	addr    string
	raw     *listener.Raw
	expired chan *Conn
	removed atomic.Int32
	ready   []*Conn // further connections that Lead returned
}

func newFixture(t *testing.T, timeouts map[Class]time.Duration) *fixture {
	t.Helper()
	f := &fixture{expired: make(chan *Conn, 16)}
	config := Config{
		Parks:   true,
		Expire:  func(c *Conn) { c.Close(); f.expired <- c },
		Removed: func(*Conn) { f.removed.Add(1) },
		Logf:    t.Logf,
	}
	for k, d := range timeouts {
		config.Timeouts[k] = d
	}
	set, err := NewSet(config)
	if err != nil {
		t.Fatal(err)
	}
	f.Set = set
	l, err := (&listener.Config{DeferAccept: -1}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := listener.NewRaw(l)
	if !ok {
		t.Fatal("no raw listener")
	}
	f.raw, f.addr = raw, l.Addr().String()
	if err := set.Listen(raw, false, func() *Conn { return new(Conn) }, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		set.Each(func(c *Conn) {
			if c.Take() {
				c.Close()
			}
		})
		set.Unlisten(raw)
		l.Close()
		set.Close()
	})
	return f
}

func (f *fixture) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// lead returns the next connection from Lead.
func (f *fixture) lead(t *testing.T) *Conn {
	t.Helper()
	if len(f.ready) == 0 {
		var err error
		if f.ready, err = f.Lead(nil); err != nil {
			t.Fatal(err)
		}
	}
	c := f.ready[0]
	f.ready = f.ready[1:]
	return c
}

func (f *fixture) park(t *testing.T, c *Conn, k Class) {
	t.Helper()
	if ok, err := c.Park(k); !ok || err != nil {
		t.Fatalf("Park = %v, %v", ok, err)
	}
}

func TestParkedConnectionComesBackWithItsBytes(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	buf := make([]byte, 16)
	if _, err := c.TryRead(buf); err != ErrWait {
		t.Fatalf("TryRead of nothing: %v", err)
	}
	for range 3 {
		f.park(t, c, None)
		io.WriteString(client, "hello")
		if got := f.lead(t); got != c {
			t.Fatal("another connection")
		}
		if n, err := c.TryRead(buf); err != nil || string(buf[:n]) != "hello" {
			t.Fatalf("TryRead = %q, %v", buf[:n], err)
		}
		if !c.Drained() {
			t.Error("a short read did not drain")
		}
	}
	client.Close()
	f.park(t, c, None)
	f.lead(t)
	if _, err := c.TryRead(buf); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	c.Close()
	if f.removed.Load() != 1 {
		t.Error("it was not removed once")
	}
	if c.Close() != nil || f.removed.Load() != 1 {
		t.Error("a second Close does something")
	}
}

func TestBytesThatCameBeforeParkingAreSeen(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	io.WriteString(client, "early")
	f.park(t, c, None) // this registers c, which reports the data
	if f.lead(t) != c {
		t.Fatal("another connection")
	}
	c.Close()
}

func TestSilentConnectionExpires(t *testing.T) {
	f := newFixture(t, map[Class]time.Duration{Header: time.Millisecond, Idle: time.Hour})
	f.dial(t)
	f.dial(t)
	first := f.lead(t)
	f.park(t, first, Idle)
	second := f.lead(t)
	f.park(t, second, Header)
	if got := <-f.expired; got != second {
		t.Error("the wrong one expired")
	}
	if !first.Parked() {
		t.Error("the other is not parked any more")
	}
}

func TestHeaderDeadlineIsNotMovedByBytes(t *testing.T) {
	f := newFixture(t, map[Class]time.Duration{Header: 30 * time.Millisecond})
	client := f.dial(t)
	c := f.lead(t)
	f.park(t, c, Header)
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				if _, err := client.Write([]byte("x")); err != nil {
					return
				}
			}
		}
	}()
	led := make(chan error, 1)
	go func() {
		buf := make([]byte, 16)
		for {
			batch, err := f.Lead(nil)
			for _, c := range batch {
				c.TryRead(buf)
				if ok, perr := c.Park(Header); !ok && perr != nil {
					err = perr
					c.Close()
				}
			}
			if err != nil {
				led <- err
				return
			}
		}
	}()
	select {
	case <-f.expired:
	case err := <-led:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		led <- nil
	}
	close(stop)
	<-sent
	f.Set.Close()
	<-led
}

func TestReadWaitsAndDeadlineEndsIt(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	time.AfterFunc(5*time.Millisecond, func() { io.WriteString(client, "late") })
	buf := make([]byte, 16)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "late" {
		t.Fatalf("Read = %q, %v", buf[:n], err)
	}
	time.AfterFunc(5*time.Millisecond, func() { c.SetReadDeadline(time.Unix(1, 0)) })
	_, err := c.Read(buf)
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read = %v, want a timeout", err)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("Read = %#v, want a net.OpError", err)
	}
	io.WriteString(client, "more")
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read after the deadline = %v", err)
	}
	c.SetReadDeadline(time.Time{})
	if _, err := c.Read(buf); err != nil {
		t.Error(err)
	}
}

func TestWriteWaitsForASlowReader(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	const size = 8 << 20
	got := make(chan int64, 1)
	go func() {
		n, _ := io.CopyN(io.Discard, client, size)
		got <- n
	}()
	if n, err := c.Write(make([]byte, size)); n != size || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if n := <-got; n != size {
		t.Errorf("the client got %d", n)
	}
	c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	const more = 64 << 20 // more than the buffers of both sockets hold, which have grown
	if n, err := c.Write(make([]byte, more)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %d, %v to a client that does not read", n, err)
	}
}

func TestWatchTellsWhenTheClientHangsUp(t *testing.T) {
	f := newFixture(t, nil)
	for _, when := range []string{"before", "after"} {
		client := f.dial(t)
		c := f.lead(t)
		gone := make(chan struct{})
		if when == "before" {
			client.(*net.TCPConn).CloseWrite()
		}
		c.Watch(func() { close(gone) })
		if when == "after" {
			client.Close()
		}
		led := make(chan struct{})
		go func() { // the leader gets the event while the connection is held
			defer close(led)
			f.Lead(nil)
		}()
		<-gone
		f.dial(t) // so that Lead returns
		<-led
		c.Close()
	}
}

func TestUnreadBytesAreNotAHangUp(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	io.WriteString(client, "next request")
	client.(*net.TCPConn).CloseWrite()
	gone := make(chan struct{})
	c.Watch(func() { close(gone) })
	f.dial(t)
	f.lead(t).Close()
	select {
	case <-gone:
		t.Fatal("gone, with bytes unread")
	default:
	}
	c.Read(make([]byte, 64))
	c.Recheck()
	<-gone
}

func TestNetConnIsRealAndParks(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	f.park(t, c, None)
	io.WriteString(client, "one")
	f.lead(t)
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := nc.(*net.TCPConn); !ok {
		t.Errorf("it is a %T", nc)
	}
	if nc.RemoteAddr().String() != client.LocalAddr().String() || c.RemoteAddr() != client.LocalAddr().String() {
		t.Errorf("peers %v and %v, want %v", nc.RemoteAddr(), c.RemoteAddr(), client.LocalAddr())
	}
	buf := make([]byte, 16)
	if n, err := c.TryRead(buf); err != nil || string(buf[:n]) != "one" {
		t.Fatalf("TryRead = %q, %v", buf[:n], err)
	}
	f.park(t, c, None)
	io.WriteString(client, "two")
	if f.lead(t) != c {
		t.Fatal("another connection")
	}
	got, early, err := c.Detach()
	if err != nil || got != nc || len(early) != 0 {
		t.Fatalf("Detach = %v, %q, %v", got, early, err)
	}
	if n, err := nc.Read(buf); err != nil || string(buf[:n]) != "two" {
		t.Fatalf("Read = %q, %v", buf[:n], err)
	}
	nc.Close()
	if f.removed.Load() != 1 {
		t.Error("it was not removed")
	}
}

func TestParkedConnectionClosedByTheApplicationIsFound(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	f.park(t, c, None)
	nc.Close()
	if <-f.expired != c {
		t.Error("another one expired")
	}
}

// number returns nc's descriptor.
func number(t *testing.T, nc net.Conn) (n int) {
	t.Helper()
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { n = int(fd) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fillUpTo opens all descriptors below n, which is free.
func fillUpTo(t *testing.T, n int) {
	t.Helper()
	for {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		if fd >= n {
			unix.Close(fd)
			if fd > n {
				t.Skipf("somebody else has taken descriptor %d", n)
			}
			return
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
}

func TestDetachOfAClosedConnectionLeavesOthersInTheSet(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.register(); err != nil {
		t.Fatal(err)
	}
	client := f.dial(t)
	n := number(t, nc)
	nc.Close() // as the application may do
	fillUpTo(t, n)
	d := f.lead(t)
	if d.fd != n {
		t.Skipf("descriptor %d, not %d", d.fd, n)
	}
	f.park(t, d, None)
	if _, _, err := c.Detach(); err == nil {
		t.Error("Detach of a closed connection succeeds")
	}
	c.Close()
	io.WriteString(client, "x")
	led := make(chan *Conn, 1)
	go func() {
		if batch, _ := f.Lead(nil); len(batch) > 0 {
			led <- batch[0]
		}
	}()
	select {
	case got := <-led:
		if got != d {
			t.Error("another connection")
		}
		d.Close()
	case <-time.After(5 * time.Second):
		t.Error("no event")
	}
}

func TestLocalAddrOutlivesTheConnection(t *testing.T) {
	f := newFixture(t, nil)
	l, err := (&listener.Config{DeferAccept: -1}).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, _ := listener.NewRaw(l)
	if err := f.Listen(raw, false, func() *Conn { return new(Conn) }, nil); err != nil {
		t.Fatal(err)
	}
	other := fmt.Sprint("127.0.0.2:", l.Addr().(*net.TCPAddr).Port)
	for _, test := range []struct {
		addr        string
		asked       bool // whether LocalAddr is called while c is open
		open, after string
	}{
		{f.addr, false, "", f.addr},
		{f.addr, true, f.addr, f.addr},
		{other, true, other, other},
		{other, false, "", l.Addr().String()}, // the address is no longer known
	} {
		client, err := net.Dial("tcp", test.addr)
		if err != nil {
			t.Fatal(err)
		}
		c := f.lead(t)
		if test.asked {
			if a := c.LocalAddr(); a == nil || a.String() != test.open {
				t.Errorf("of %s: %v, want %v", test.addr, a, test.open)
			}
		}
		c.Close()
		client.Close()
		if a := c.LocalAddr(); a == nil || a.String() != test.after {
			t.Errorf("of %s, closed, asked before: %v: %v, want %v", test.addr, test.asked, a, test.after)
		}
	}
	f.Unlisten(raw)
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
		if err := f.Listen(f.raw, shared, func() *Conn { return new(Conn) }, nil); err != nil {
			t.Fatal(err)
		}
		before := f.listenEvents(t)
		if before == "" {
			t.Skip("this system does not tell")
		}
		f.restFor(f.sources[len(f.sources)-1], time.Millisecond)
		var after string
		for begin := time.Now(); after == "" && time.Since(begin) < 5*time.Second; time.Sleep(time.Millisecond) {
			after = f.listenEvents(t)
		}
		if after != before {
			t.Errorf("shared %v: events %q after a rest, %q before", shared, after, before)
		}
	}
}

func TestAbandonedConnectionFails(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	f.dial(t)
	c, d := f.lead(t), (*Conn)(nil)
	f.park(t, c, None)
	d = f.lead(t)
	if !c.Abandon() {
		t.Error("a parked connection is not the caller's")
	}
	c.Close()
	read := make(chan error)
	go func() {
		_, err := d.Read(make([]byte, 1))
		read <- err
	}()
	if d.Abandon() {
		t.Error("one that a worker has is the caller's")
	}
	if err := <-read; err == nil {
		t.Error("its read did not fail")
	}
	if ok, err := d.Park(None); ok || err == nil {
		t.Error("it parked")
	}
	d.Close()
}

func TestClosedSetEndsItsLeader(t *testing.T) {
	f := newFixture(t, nil)
	led := make(chan error)
	go func() {
		_, err := f.Lead(nil)
		led <- err
	}()
	f.Close()
	if err := <-led; err == nil {
		t.Error("no error")
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
	if err := set.Listen(raw, false, func() *Conn { return new(Conn) }, nil); err != nil {
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
