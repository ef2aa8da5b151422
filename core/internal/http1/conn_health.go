package http1

import (
	"bytes"
	"errors"
	"os"

	"github.com/recycling-go/recycling/core/internal/park"
)

// This file gives requests for Limits.HealthPath precedence while all workers are busy.

// A healthMatch says whether a request is for Limits.HealthPath.
type healthMatch uint8

const (
	notHealthCheck   healthMatch = iota
	maybeHealthCheck             // more bytes may make it one
	isHealthCheck                // it is one, and has arrived completely
)

// matchHealthCheck classifies a request that begins with b. A request with a body is never a health
// check: the body may never arrive, and there are few workers in reserve.
func (s *Server) matchHealthCheck(b []byte) healthMatch {
	if s.Limits.HealthPath == "" {
		return notHealthCheck
	}
	for _, method := range []string{"GET ", "HEAD "} {
		n := len(method)
		if len(b) < n {
			if string(b) == method[:len(b)] {
				return maybeHealthCheck
			}
			continue
		}
		if string(b[:n]) != method {
			continue
		}
		path := s.Limits.HealthPath
		if rest := b[n:]; len(rest) <= len(path) {
			if string(rest) == path[:len(rest)] {
				return maybeHealthCheck
			}
			return notHealthCheck
		}
		if string(b[n:n+len(path)]) != path {
			return notHealthCheck
		}
		return matchHealthCheckEnd(b, n+len(path))
	}
	return notHealthCheck
}

// matchHealthCheckEnd classifies a request that begins with b and whose path is Limits.HealthPath.
// The path ends before b[i].
func matchHealthCheckEnd(b []byte, i int) healthMatch {
	if b[i] != ' ' && b[i] != '?' {
		return notHealthCheck
	}
	end, _, _ := headerEnd(b, 0)
	if end == 0 {
		return maybeHealthCheck
	}
	line, _, _ := bytes.Cut(b[i:end], []byte("\n"))
	query, version, _ := bytes.Cut(line, []byte(" "))
	if len(query) == 1 || !bytes.HasPrefix(version, []byte("HTTP/1.")) || hasBody(b[:end]) {
		return notHealthCheck
	}
	return isHealthCheck
}

// hasBody reports whether a header announces a body.
func hasBody(head []byte) bool {
	for line := range bytes.Lines(head) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			return true
		}
	}
	return false
}

// lookSize is how much of a request TakeHealthCheck examines.
const lookSize = 4 << 10

// TakeHealthCheck is for callers about to queue c while all workers are busy. It does not wait. If
// c has sent a request for Limits.HealthPath, TakeHealthCheck gives c to a worker in reserve. If c
// may still send one, it parks c until more bytes arrive. Otherwise it returns true, and the caller
// still owns c.
func (c *Conn) TakeHealthCheck() (remains bool) {
	if !c.Parks() || c.Direct() || c.phase == lingering || c.needsHandshake() {
		return true // reading from a direct one may wait for the rest of a record
	}
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	for {
		if gone, err := c.passProxyHeader(); gone || err != nil {
			return !gone
		}
		sent, err := c.peekHeader(buf[:lookSize])
		if err != nil || len(sent) == lookSize {
			return true
		}
		switch c.srv.matchHealthCheck(sent) {
		case notHealthCheck:
			return true
		case isHealthCheck:
			return !c.reserve()
		}
		if c.HungUp() {
			return true
		}
		if c.parkUnowned(len(sent) == 0) {
			return false
		}
	}
}

// maxUnread is how many bytes of earlier responses may be in flight to a client that gets a worker
// in reserve. A client that does not read its responses could keep that worker waiting for room for
// the next one.
const maxUnread = 4 << 10

// reserve gives c to a worker in reserve, and reports whether one is available.
func (c *Conn) reserve() bool { return c.Unread() <= maxUnread && c.Scheduler.Reserve(c) }

// peekHeader returns what c has sent so far, up to len(buf) bytes, and leaves it to be read. If it
// returns an error, a worker has to handle c.
func (c *Conn) peekHeader(buf []byte) ([]byte, error) {
	n := copy(buf, c.pending)
	if c.listener.TLS == nil {
		more, err := c.Peek(buf[n:])
		return buf[:n+more], err
	}
	var err error
	// A TLS connection may hold records already read from the socket, for which no further event
	// comes.
	for more := 0; n < len(buf) && err == nil; n += more {
		more, err = c.TryRead(buf[n:])
	}
	if n > len(c.pending) {
		c.pending = append(make([]byte, 0, n), buf[:n]...)
	}
	if err == park.ErrWait {
		err = nil
	}
	return buf[:n], err
}

// parkUnowned parks c, which no worker owns, and reports whether c is gone, parked or ended. If
// not, there is more to read. The flag nothing says that c has not sent any byte of a request yet.
func (c *Conn) parkUnowned(nothing bool) (gone bool) {
	phase := c.waitPhase(nothing)
	class, ok := c.srv.parkClass(phase, nothing)
	if !ok {
		c.EndInBackground()
		return true
	}
	if class == ForFirst || class == ForHeader {
		c.begin()
	}
	parked, err := c.Park(class)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.Expire()
		return true
	case err != nil:
		c.EndInBackground()
		return true
	case !parked:
		return false
	}
	now, ok := c.srv.parkClass(phase, nothing)
	return ok && now == class || !c.Take()
}
