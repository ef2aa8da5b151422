package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// errOver is what a ResponseWriter answers with once its handler has returned.
var errOver = errors.New("recycling: ResponseWriter used after its handler returned")

// A response is the ResponseWriter. What it writes goes through three stages, the first two of which are the
// worker's and recycled:
//
//	pre    2 KB, so that an answer that fits gets a Content-Length, and the first bytes a Content-Type
//	framer puts the header in front and, if need be, chunk sizes around
//	out    4 KB, so that header and body of a small answer are one write
//
// The sizes are net/http's; they can be seen in how a long answer is cut into chunks.
type response struct {
	x *exchange

	head, is11                   bool // the request's method is HEAD; its version is 1.1 or later
	wantsClose, wants10KeepAlive bool // what the client said of the connection

	mu         sync.Mutex // guards following; held while writing
	pre        *bufio.Writer
	out        *bufio.Writer
	over       bool // the handler has returned
	hijacked   bool
	status     int         // zero until the header was (logically) written
	header     http.Header // the handler's; nil until it asks for it
	fields     []field     // of header when WriteHeader was called, or when the handler returned
	sent       bool        // the header is in out
	chunking   bool
	declared   int64 // Content-Length; -1: none
	undeclared bool  // there is a Content-Length, which is no number
	written    int64 // bytes of the body
	trailers   []string
	tunnel     bool // the answer to CONNECT, which ends with its header
	closing    bool // the connection is closed after this answer
	lingering  bool // and not before the client had time to read it
	fullDuplex bool // the handler reads and writes as it likes

	deadlineMu sync.Mutex // guards following, and is held while a deadline is set
	late       bool       // over, for who must not wait for mu

	continueMu  sync.Mutex // held while "100 Continue" is being written
	canContinue atomic.Bool

	notifyMu sync.Mutex // guards following
	notify   chan bool  // of CloseNotify
	notified bool
}

func (w *response) begin(x *exchange) {
	w.x = x
	w.declared = -1
	w.pre, w.out = x.worker.pre, x.worker.out
	w.pre.Reset(framer{x.worker}) // it may hold what a handler wrote that panicked, or an error
}

// Header returns the header map that WriteHeader sends. Changes after that have no effect but on trailers.
func (w *response) Header() http.Header {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader sends an informational answer at once, and any other with the first bytes of the body.
func (w *response) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeaderLocked(status)
}

func (w *response) writeHeaderLocked(status int) {
	switch {
	case w.hijacked:
		w.complain("http: response.WriteHeader on hijacked connection")
		return
	case w.over:
		return
	case w.status != 0:
		w.complain("http: superfluous response.WriteHeader call")
		return
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if status < 101 || status > 199 {
		w.stopContinue()
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.writeInformation(status)
		return
	}
	w.status = status
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
			w.x.c.srv.Logf("http: invalid Content-Length of %q", cl)
			w.header.Del("Content-Length")
			w.undeclared = true
		}
	}
}

// writeInformation sends a 1xx answer. An HTTP/1.0 client would not understand it (RFC 9110 section 15.2).
func (w *response) writeInformation(status int) {
	if !w.is11 {
		return
	}
	b := appendStatus(w.out.AvailableBuffer(), true, status)
	b = appendFields(b, w.x.worker.collect(w.header, false), skipLength|skipCoding, nil)
	w.out.Write(append(b, "\r\n"...))
	w.out.Flush()
}

// complain logs a mistake of the handler's, and where it was made: functions of net/http are not to blame.
func (w *response) complain(what string) {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	frame, more := frames.Next()
	for more && (strings.HasPrefix(frame.Function, thisPackage) || strings.HasPrefix(frame.Function, "net/http.")) {
		frame, more = frames.Next()
	}
	w.x.c.srv.Logf("%s from %s (%s:%d)", what, frame.Function, path.Base(frame.File), frame.Line)
}

const thisPackage = "github.com/recycling-go/recycling/core/internal/http1."

func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	return w.pre.Write(p)
}

func (w *response) WriteString(s string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.admit(len(s)); err != nil || len(s) == 0 {
		return 0, err
	}
	return w.pre.WriteString(s)
}

// admit prepares for n bytes of body, or says why they cannot be written.
func (w *response) admit(n int) error {
	switch {
	case w.hijacked:
		if n > 0 {
			w.complain("http: response.Write on hijacked connection")
		}
		return http.ErrHijacked
	case w.over:
		return errOver
	}
	w.stopContinue()
	if w.status == 0 {
		w.writeHeaderLocked(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !bodyAllowed(w.status) || w.status == http.StatusResetContent {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.declared != -1 && w.written > w.declared {
		return http.ErrContentLength
	}
	return nil
}

// sniffLen is how many bytes http.DetectContentType looks at.
const sniffLen = 512

// ReadFrom lets the kernel copy a file: io.Copy calls it.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	plain := struct{ io.Writer }{w}
	if !w.headerSent() {
		// Nothing is sent before there is something to send, and that is sniffed.
		n, err = io.CopyBuffer(plain, io.LimitReader(src, sniffLen), buf)
		if err != nil || n < sniffLen {
			return n, err
		}
	}
	if k, ok, err := w.sendFile(src); ok {
		return n + k, err
	}
	k, err := io.CopyBuffer(plain, src, buf)
	return n + k, err
}

func (w *response) headerSent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// sendFile sends what the connection can send by itself. It reports false if it cannot.
func (w *response) sendFile(src io.Reader) (n int64, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || w.hijacked {
		return 0, false, nil
	}
	if err := w.flushLocked(); err != nil {
		return 0, true, err
	}
	if w.chunking || w.head || !bodyAllowed(w.status) {
		return 0, false, nil
	}
	n, ok, err = w.x.c.SendFile(src)
	w.written += n
	if err != nil {
		w.x.worker.writeFailed(err)
	}
	return n, ok, err
}

// Flush sends what was written so far.
func (w *response) Flush() { w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.hijacked:
		return http.ErrHijacked
	case w.over:
		return errOver
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
	return w.setDeadline(w.x.c.SetReadDeadline, t)
}

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	return w.setDeadline(w.x.c.SetWriteDeadline, t)
}

// setDeadline does not wait for a Write: it may have to end it.
func (w *response) setDeadline(set func(time.Time) error, t time.Time) error {
	w.deadlineMu.Lock()
	defer w.deadlineMu.Unlock()
	if w.late {
		return errOver
	}
	return set(t)
}

// EnableFullDuplex is for http.ResponseController.
func (w *response) EnableFullDuplex() error {
	w.mu.Lock()
	w.fullDuplex = true
	w.mu.Unlock()
	return nil
}

// CloseNotify returns a channel that is sent on when the client hangs up.
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
	w.x.watch()
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
	defer w.mu.Unlock()
	return w.over
}

// sendContinue sends "100 Continue", unless it was sent or the answer has begun.
func (w *response) sendContinue() {
	if !w.canContinue.Load() {
		return
	}
	w.continueMu.Lock()
	defer w.continueMu.Unlock()
	if w.canContinue.Load() {
		w.out.WriteString("HTTP/1.1 100 Continue\r\n\r\n")
		w.out.Flush()
		w.canContinue.Store(false)
	}
}

// stopContinue makes sure that no "100 Continue" is sent from now on.
func (w *response) stopContinue() {
	if !w.canContinue.Load() {
		return
	}
	w.continueMu.Lock()
	w.canContinue.Store(false)
	w.continueMu.Unlock()
}

// bodyAllowed reports whether an answer with this status has a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
