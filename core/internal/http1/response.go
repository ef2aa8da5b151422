package http1

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// errHandlerReturned is what a ResponseWriter returns once its handler has returned.
var errHandlerReturned = errors.New("recycling: ResponseWriter used after its handler returned")

// A response is the ResponseWriter. What it writes passes through three stages, the first two of
// which belong to the worker and are recycled:
//
//	pre    2 KB, so that a response that fits gets a Content-Length, and the first bytes decide on
//	       the Content-Type
//	framer inserts the header, and chunk sizes if needed
//	out    4 KB, so that the header and body of a small response are one write
//
// The sizes are net/http's. They are visible in how a long response is split into chunks.
//
// A handler may keep a response, and use it on other goroutines, even after it has returned. So
// each of its methods locks mu first, and uses the reply only if stage is stageHandler. Without the
// mutex they use only ctx.
type response struct {
	*reply // nil once the response has been sent, if the exchange is recyclable
	ctx    *requestContext

	stage    stage // guarded by mu
	late     bool  // guarded by deadlineMu: over, for callers that must not wait for mu
	notified bool  // guarded by notifyMu

	mu     sync.Mutex  // guards following, and the reply; held while writing
	said   *[]string   // lines to log once mu is released
	header http.Header // the handler's; nil until it asks for it

	deadlineMu sync.Mutex  // guards following; held while a deadline is set
	taken      *PrefixConn // wraps the net.Conn that Hijack returned

	notifyMu sync.Mutex // guards following
	notify   chan bool  // returned by CloseNotify
}

// A reply is the part of a response that is recycled, with the exchange.
type reply struct {
	x *exchange // of which it is a part

	// Properties of the request as received, since the handler may change its http.Request: head
	// and connect say that the method is HEAD or CONNECT, is11 that the version is HTTP/1.1 or
	// later, and the others what the client asked for about the connection.
	head, connect, is11          bool
	wantsClose, wants10KeepAlive bool

	canContinue atomic.Bool // "100 Continue" may be sent; changed with mu held

	pre     *bufio.Writer // nil once the response has been sent, as is out
	out     *bufio.Writer
	copying int32 // calls of ReadFrom that bypass the buffers
	status  int   // zero until the header is (logically) written
	// fields are those of header when WriteHeader was called, or when the handler returned.
	fields     []field
	sent       bool // the header is in out
	chunking   bool
	declared   int64 // Content-Length; -1: none
	undeclared bool  // there is a Content-Length, but it is not a number
	written    int64 // bytes of the body
	trailers   []string
	tunnel     bool // a 2xx response to CONNECT, which ends with its header
	reuse      reuse
	fullDuplex bool // the handler may read and write at the same time
	counted    bool // in Server.Hijackings
	continued  bool // "100 Continue" was sent
}

// A stage says who may use a response.
type stage uint8

const (
	stageHandler  stage = iota // the handler
	stageDone                  // the handler has returned: only the worker
	stageHijacked              // nobody: the connection has another owner
)

// A reuse says what becomes of the connection after a response.
type reuse uint8

const (
	reuseConn  reuse = iota // another request may follow
	closeConn               // it is closed
	lingerConn              // likewise, but lingers first, so that the client can read the response
)

// close makes w.reuse at least r. It is the only function that changes it.
func (w *reply) close(r reuse) { w.reuse = max(w.reuse, r) }

// release drops what belongs to the worker: see exchange.release.
func (w *response) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.releaseLocked()
}

func (w *response) releaseLocked() {
	w.uncountLocked()
	w.pre, w.out, w.fields, w.trailers = nil, nil, nil, nil
}

// Header returns the header map that WriteHeader sends. Later changes only affect trailers.
func (w *response) Header() http.Header {
	w.mu.Lock()
	defer w.unlock()
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader sends an informational response at once, and any other status with the first bytes of
// the body.
func (w *response) WriteHeader(status int) {
	w.mu.Lock()
	defer w.unlock()
	w.writeHeaderLocked(status)
}

func (w *response) writeHeaderLocked(status int) {
	switch {
	case w.stage == stageHijacked:
		w.complain("http: response.WriteHeader on hijacked connection")
		return
	case w.stage == stageDone:
		return
	case w.status != 0:
		w.complain("http: superfluous response.WriteHeader call")
		return
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if status < 101 || status > 199 {
		w.stopContinueLocked(status >= 200)
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.writeInformation(status)
		return
	}
	w.status = status
	w.noteMaxBytes()
	w.fields = w.x.worker.collect(w.header, true)
	w.takeLength()
}

// takeLength notes the Content-Length that the handler has set.
func (w *response) takeLength() {
	if cl, _ := lookup(w.fields, "Content-Length"); cl != "" {
		n, err := strconv.ParseInt(cl, 10, 64)
		if err == nil && n >= 0 {
			w.declared = n
		} else {
			w.logf("http: invalid Content-Length of %q", cl)
			w.header.Del("Content-Length")
			w.undeclared = true
		}
	}
}

// writeInformation sends a 1xx response, except to an HTTP/1.0 client, which would not understand
// it (RFC 9110 section 15.2).
func (w *response) writeInformation(status int) {
	if !w.is11 {
		return
	}
	b := appendStatus(w.out.AvailableBuffer(), true, status)
	b = appendFields(b, w.x.worker.collect(w.header, false), skipLength|skipCoding, nil)
	w.out.Write(append(b, "\r\n"...))
	w.out.Flush()
}

func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.unlock()
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	return w.pre.Write(p)
}

func (w *response) WriteString(s string) (int, error) {
	w.mu.Lock()
	defer w.unlock()
	if err := w.admit(len(s)); err != nil || len(s) == 0 {
		return 0, err
	}
	return w.pre.WriteString(s)
}

// admit prepares for n bytes of body, or returns why they cannot be written.
func (w *response) admit(n int) error {
	switch {
	case w.stage == stageHijacked:
		if n > 0 {
			w.complain("http: response.Write on hijacked connection")
		}
		return http.ErrHijacked
	case w.stage == stageDone:
		return errHandlerReturned
	}
	w.stopContinueLocked(true)
	if w.status == 0 {
		w.writeHeaderLocked(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !w.hasBody() {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.declared != -1 && w.written > w.declared {
		return http.ErrContentLength
	}
	return nil
}

// Flush sends what has been written so far.
func (w *response) Flush() { w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	w.mu.Lock()
	defer w.unlock()
	if err := w.closedLocked(); err != nil {
		return err
	}
	return w.flushLocked()
}

func (w *response) flushLocked() error {
	if w.status == 0 {
		w.writeHeaderLocked(http.StatusOK)
	}
	if err := w.pre.Flush(); err != nil {
		return err
	}
	w.sendHeader(nil)
	return w.out.Flush()
}

// SetReadDeadline is for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	return w.setDeadline((*Conn).SetReadDeadline, net.Conn.SetReadDeadline, t)
}

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	return w.setDeadline((*Conn).SetWriteDeadline, net.Conn.SetWriteDeadline, t)
}

// setDeadline does not wait for a Write in progress, which the deadline may have to end. It also
// sets the deadline of a hijacked connection, at any time.
func (w *response) setDeadline(set func(*Conn, time.Time) error, setTaken func(net.Conn, time.Time) error, t time.Time) error {
	w.deadlineMu.Lock()
	defer w.deadlineMu.Unlock()
	switch {
	case w.taken != nil:
		return setTaken(w.taken.Conn, t)
	case w.late:
		return errHandlerReturned
	}
	return set(w.x.c, t)
}

// EnableFullDuplex is for http.ResponseController.
func (w *response) EnableFullDuplex() error {
	w.mu.Lock()
	defer w.unlock()
	if w.stage == stageHandler {
		w.fullDuplex = true
	}
	return nil
}

// CloseNotify returns a channel that receives a value when the client hangs up.
func (w *response) CloseNotify() <-chan bool {
	if w.isOver() {
		panic("net/http: CloseNotify called after ServeHTTP finished")
	}
	w.notifyMu.Lock()
	if w.notify == nil {
		w.notify = make(chan bool, 1)
		if w.notified {
			w.notify <- true
		}
	}
	ch := w.notify
	w.notifyMu.Unlock()
	w.ctx.watch()
	return ch
}

func (w *response) notifyClose() {
	w.notifyMu.Lock()
	defer w.notifyMu.Unlock()
	if !w.notified && w.notify != nil {
		w.notify <- true
	}
	w.notified = true
}

func (w *response) isOver() bool {
	w.mu.Lock()
	defer w.unlock()
	return w.stage == stageDone
}

// sendContinue sends "100 Continue", unless it was sent already or the response has begun.
func (w *response) sendContinue() {
	if !w.canContinue.Load() {
		return
	}
	w.mu.Lock()
	defer w.unlock()
	if w.canContinue.Load() && w.stage == stageHandler {
		w.canContinue.Store(false)
		w.out.WriteString("HTTP/1.1 100 Continue\r\n\r\n")
		w.out.Flush()
		w.continued = true
	}
}

// stopContinueLocked prevents a later "100 Continue". If none has been sent, and the client gets a
// response instead (answered), the client may never send the body.
func (w *response) stopContinueLocked(answered bool) {
	if !w.canContinue.Load() {
		return
	}
	w.canContinue.Store(false)
	if answered && gohttp.LateBodyIsRefused {
		w.close(closeConn)
		w.x.body.refused.Store(true)
	}
}

// refuseBody handles closing the body while the client waits for "100 Continue".
func (w *response) refuseBody() {
	if !w.canContinue.Load() {
		return
	}
	w.mu.Lock()
	defer w.unlock()
	w.stopContinueLocked(true)
}

// hasBody reports whether the response may have a body. A 205 has none (RFC 9110 section 15.3.6).
func (w *response) hasBody() bool {
	return bodyAllowed(w.status) && w.status != http.StatusResetContent
}

// bodyAllowed reports whether a response with this status may have a body according to net/http.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
