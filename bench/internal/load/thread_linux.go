//go:build !load_goroutines

package load

import (
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// A thread sends the requests of its clients in a loop around epoll. System calls that cannot block
// bypass Go's scheduler (RawSyscall).
type thread struct {
	*service
	epoll   int
	wake    int // an eventfd; it stays readable after a write
	events  [128]syscall.EpollEvent
	clients []*client

	// Used while loop runs.
	in       [64 << 10]byte // what read reads
	result   *Result
	ready    []*client // clients that can send their next requests
	resting  []*client // clients that wait after an error, ordered by rested
	underWay int       // the number of requests in flight
	off      bool      // set by interrupt
}

// A client is one connection.
type client struct {
	index   int  // in its thread's clients
	fd      int  // none if there is no connection
	watched bool // fd is in the epoll set
	state   state
	began   time.Time // when the request began
	rested  time.Time // when the next request may begin, after an error
	sent    int       // bytes of the request
	answer  answer
}

const none = -1

// A state is what a client waits for.
type state int

const (
	// ready: the client waits for its turn. It may be connected or not.
	ready state = iota

	// sending: the client waits until it can write, for the connection or to send more.
	sending

	// answering: the client waits for the response, or the rest of it.
	answering

	// ending: the client has received the response, and waits for the server to close the
	// connection.
	ending
)

func newThread(s *service) (*thread, error) {
	t := &thread{service: s, wake: none}
	var err error
	if t.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, _, e := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if e != 0 {
		t.close()
		return nil, os.NewSyscallError("eventfd2", e)
	}
	t.wake = int(wake)
	if err := t.watch(t.wake, syscall.EPOLLIN, none); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *thread) close() {
	for _, c := range t.clients {
		c.hangUp()
	}
	syscall.Close(t.epoll)
	if t.wake != none {
		syscall.Close(t.wake)
	}
}

// watch adds fd to the epoll set. index is the index of its client.
func (t *thread) watch(fd int, events uint32, index int) error {
	e := syscall.EpollEvent{Events: events, Fd: int32(index)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(t.epoll, syscall.EPOLL_CTL_ADD, fd, &e))
}

func (t *thread) interrupt() {
	one := [8]byte{1}
	syscall.Write(t.wake, one[:]) // the counter does not overflow, and nothing else can fail
}

// loop lets clients send requests until end, at least one each, and waits for the responses. In
// each turn it reads all responses that have arrived, then connects all clients that need a
// connection, and then sends all requests, as wrk does. If each client sent its next request at
// once, the server would wake up for one request at a time, because it shares the processors.
func (t *thread) loop(clients []*client, end time.Time, r *Result) {
	t.result, t.ready, t.resting, t.underWay = r, append(t.ready[:0], clients...), t.resting[:0], 0
	for first := true; !t.off; first = false {
		now := time.Now()
		more := first || now.Before(end)
		if more {
			for _, c := range t.ready {
				t.begin(c)
			}
			for _, c := range t.ready {
				t.send(c)
			}
		}
		t.ready = t.ready[:0]
		if t.underWay == 0 && !more || now.After(end.Add(patience)) {
			break
		}
		t.wait(end, now)
	}
	for _, c := range clients {
		if c.state != ready {
			c.hangUp()
			if !t.off {
				r.error(errPatience)
			}
		}
	}
}

// wait waits for events and handles them.
func (t *thread) wait(end, now time.Time) {
	until := end
	if t.underWay > 0 {
		until = end.Add(patience)
	}
	if len(t.resting) > 0 && t.resting[0].rested.Before(until) {
		until = t.resting[0].rested
	}
	timeout := max(until.Sub(now), 0)/time.Millisecond + 1
	n, err := syscall.EpollWait(t.epoll, t.events[:], int(timeout))
	if err != nil && err != syscall.EINTR {
		panic(os.NewSyscallError("epoll_wait", err)) // BUG in this package
	}
	for _, e := range t.events[:max(n, 0)] {
		if e.Fd == none {
			t.off = true
			return
		}
		t.handle(t.clients[e.Fd])
	}
	now = time.Now()
	for len(t.resting) > 0 && !now.Before(t.resting[0].rested) {
		t.ready = append(t.ready, t.resting[0])
		t.resting = t.resting[1:]
	}
}

func (t *thread) handle(c *client) {
	switch c.state {
	case sending:
		t.write(c)
	case answering, ending:
		t.read(c)
	// The server has closed a keep-alive connection. The next request will notice.
	case ready:
	}
}

// begin begins a request. It connects if there is no connection.
func (t *thread) begin(c *client) {
	t.underWay++
	c.began = time.Now()
	c.sent = 0
	c.answer.reset()
	c.state = sending
	if c.fd == none {
		if err := t.connect(c); err != nil {
			t.fail(c, err)
		}
	}
}

// send sends the request that has begun. On loopback the connection is usually established by now.
func (t *thread) send(c *client) {
	if c.state != sending { // connecting has failed
		return
	}
	t.write(c)
	if c.watched || c.fd == none {
		return
	}
	events := uint32(syscall.EPOLLIN | edge)
	if c.state == sending || len(t.request) > always {
		events |= syscall.EPOLLOUT
	}
	if err := t.watch(c.fd, events, c.index); err != nil {
		t.fail(c, err)
		return
	}
	c.watched = true
}

// EPOLLET, which package syscall defines as a negative number.
const edge = 1 << 31

// always is the length of a request for which an idle connection always has room.
const always = 1 << 10

func (t *thread) connect(c *client) error {
	fd, err := syscall.Socket(t.family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	c.fd = fd
	if err := syscall.Connect(fd, t.addr); err != nil && err != syscall.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// write sends the request, or as much of it as there is room for; then the client stays sending.
func (t *thread) write(c *client) {
	for c.sent < len(t.request) {
		rest := t.request[c.sent:]
		n, _, e := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)))
		switch {
		case e == syscall.EAGAIN:
			c.state = sending
			return
		case e != 0:
			t.fail(c, os.NewSyscallError("write", e))
			return
		}
		c.sent += int(n)
	}
	c.state = answering
}

// read reads until the response is complete or no more data is available. If close is set, it also
// reads the end of the connection.
func (t *thread) read(c *client) {
	for {
		n, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&t.in[0])), uintptr(len(t.in)))
		switch {
		case e == syscall.EAGAIN:
			return
		case e != 0:
			t.fail(c, os.NewSyscallError("read", e))
			return
		case c.state == ending:
			if n > 0 {
				t.fail(c, errMore)
			} else {
				t.finish(c)
			}
			return
		case n == 0:
			t.fail(c, io.ErrUnexpectedEOF)
			return
		}
		complete, err := c.answer.take(t.in[:n])
		switch {
		case err != nil:
			t.fail(c, err)
			return
		case complete && !t.service.close:
			t.finish(c)
			return
		case complete:
			c.state = ending
		}
	}
}

// finish counts a response.
func (t *thread) finish(c *client) {
	if t.service.close {
		c.hangUp()
	}
	t.result.answer(time.Since(c.began), c.answer.body)
	c.state = ready
	t.underWay--
	t.ready = append(t.ready, c)
}

// fail counts an error.
func (t *thread) fail(c *client, err error) {
	t.result.error(err)
	c.hangUp()
	t.underWay--
	c.rested = time.Now().Add(backOff)
	t.resting = append(t.resting, c)
}

// hangUp closes the connection if there is one.
func (c *client) hangUp() {
	if c.fd != none {
		syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(c.fd), 0, 0)
		c.fd, c.watched = none, false
	}
	c.state = ready
}
