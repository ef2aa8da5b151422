//go:build !recycling_nopark

package park

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A leaderWait is how the leader waits when it finds no event.
//
// As a rule it waits in Go's poller, and its processor goes to another goroutine. But a goroutine
// that computes keeps that processor until the scheduler interrupts it, which takes 10 milliseconds
// or more. So while others compute, requests that take microseconds would wait that long again and
// again. A leader to which this happens is called late, as defined below. Before each wait in Go's
// poller, a late leader waits in epoll_pwait2 for at most holdTime, and keeps its processor.
//
// Whenever the leader has waited in Go's poller, it asks the kernel how long the data of a
// connection has been there: see checkLate. After two answers in a row of lateAfter or longer, the
// leader is late: for the time lateFor, or until maxHolds waits in epoll_pwait2 found nothing. Each
// further such answer makes it late anew, until an answer is shorter.
//
// With four connections that compute for 10 ms and ten light ones, on two processors, the light
// ones get 1.4 times the requests per second that they get without this wait, if the client is wrk.
// With the client of the benchmark "light" they get 1.6 to 2.1 times as many, and their p99 is a
// third shorter. The computing ones lose 2 %.
//
// These were tried, and rejected:
//
//   - To wait in this way always. 8 and 16 busy connections took 5 % more CPU, because the leader
//     finds fewer events at a time.
//   - To let a worker wait for its connection in the same way. The median was half as long, but the
//     p99 was five times that of net/http. The goroutines that the scheduler has interrupted wait
//     in its global queue, which it neglects while each processor has goroutines of its own.
//
// A leader that keeps its processor also delays the garbage collector when that stops all
// goroutines, by holdTime at most.
//
// Only the leader uses a leaderWait.
type leaderWait struct {
	holds    int          // how many more waits may be in vain; zero: the leader is not late
	until    int64        // when it is no longer late, in nanoseconds since epoch
	released bool         // the leader has given up its processor since the last events
	before   bool         // the last answer of the kernel was lateAfter or longer
	unknown  bool         // this system has no epoll_pwait2
	info     unix.TCPInfo // for dataAge
}

const (
	lateAfter = 8 * time.Millisecond // by the kernel's clock, whose ticks may take 4
	holdTime  = 50 * time.Microsecond
	maxHolds  = 64
	lateFor   = time.Second
)

// hold waits without giving up the processor, if the leader is late. It reports whether poll has
// something to return.
func (s *Set) hold() bool {
	w := &s.leaderWait
	if w.holds > 0 && nanos() > w.until {
		w.holds = 0
	}
	if w.holds > 0 {
		s.pollFor(holdTime)
		switch {
		case s.n < 0 && (s.failure == syscall.ENOSYS || s.failure == syscall.EPERM):
			w.unknown = true // too old, or rejected by a system call filter
			w.holds = 0
			s.n = 0
		case s.n != 0:
			return true
		default:
			w.holds--
		}
	}
	w.released = true
	return false
}

// checkLate finds out whether the leader is late. It looks at the first event that the leader has
// found since it gave up its processor.
func (s *Set) checkLate() {
	w := &s.leaderWait
	if !w.released || s.n <= 0 {
		return
	}
	w.released = false
	e := &s.events[0]
	if w.unknown || uint32(e.Pad) == sourceGen {
		return
	}
	// If the descriptor belongs to another connection by now, there is another event soon.
	late := s.dataAge(int(e.Fd)) >= lateAfter
	if late && w.before {
		w.until = nanos() + int64(lateFor)
		w.holds = maxHolds
	}
	w.before = late
}

// dataAge returns how long ago fd has received data, or zero if it is not a TCP connection. Like
// all system calls of the leader, it bypasses Go's scheduler. When one call in eight went through
// the scheduler, each request took 30 % more CPU, with four busy connections.
func (s *Set) dataAge(fd int) time.Duration {
	info, size := &s.leaderWait.info, uint32(unix.SizeofTCPInfo)
	_, _, e := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO, uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 {
		return 0
	}
	return time.Duration(info.Last_data_recv) * time.Millisecond
}

// A kernelTimespec is what epoll_pwait2 expects on all processors.
type kernelTimespec struct{ sec, nsec int64 }

// pollFor is poll that waits for at most d, which is less than a second, without telling Go's
// scheduler.
func (s *Set) pollFor(d time.Duration) int {
	wait := kernelTimespec{nsec: int64(d)}
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(s.epfd), uintptr(unsafe.Pointer(&s.events)), uintptr(len(s.events)), uintptr(unsafe.Pointer(&wait)), 0, 0)
	return s.polled(int(n), e)
}
