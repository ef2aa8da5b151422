package http1

import (
	"bufio"
	"hash/maphash"
	"sync"
	"time"
)

// Sizes of response.pre and response.out.
const (
	preSize = 2 << 10
	outSize = 4 << 10
)

// A Worker serves one connection at a time, and reuses its memory for the next. It belongs to one
// goroutine.
type Worker struct {
	// Hijacked is called when a handler has taken over the connection, before the handler returns.
	// It may be nil.
	Hijacked func()

	// Pause is called when the handler is about to wait, and reports whether the worker does not
	// count until Resume is called. They may be called by any goroutine, but not at the same time,
	// and not after the handler has returned. Nil means that the worker always counts.
	Pause  func() bool
	Resume func()

	// Reserve makes the worker serve only one request of a connection, and leave the following
	// requests to other workers: see Scheduler.Reserve.
	Reserve bool

	srv *Server
	in  input

	*writers // nil while the worker waits for its connection itself

	x        *exchange // the current one
	spare    *exchange // a former one; nil if there is none
	writeErr error     // the first write error on this connection
	writing  bool      // a Write is in progress, or has panicked
	tail     []byte    // to be sent after what is being flushed; nil if that is all
	tailed   int       // how much of tail was sent
	last     bool      // the connection ends with what is being flushed
	// timing is set while the read deadline is that of the header, on a connection that does not
	// park.
	timing bool
	// stayed is set when the worker has waited for the next request, in vain.
	stayed bool
	// crowded is when other connections were first seen to wait for a worker in this turn; zero if
	// none wait.
	crowded time.Time

	// observation is of the current request; nil until there is one and an Observer. waited is how
	// long its connection has waited for the worker, if that does not park.
	observation *observation
	waited      time.Duration

	fields []field // of the response header: see collect
	values []string
	cache  stringCache
}

// NewWorker returns a Worker for connections of s.
func NewWorker(s *Server) *Worker {
	w := &Worker{srv: s}
	w.in = newInput()
	w.cache.seed = maphash.MakeSeed()
	w.takeWriters()
	return w
}

// The writers are the buffers through which a response passes.
type writers struct {
	pre *bufio.Writer // to a framer, which writes to out
	out *bufio.Writer // to the connection
}

// spareWriters holds the writers of workers that wait for their connection themselves. Otherwise
// each of these workers would keep 6 KB that it does not need while it waits.
var spareWriters = sync.Pool{New: func() any {
	return &writers{pre: bufio.NewWriterSize(nil, preSize), out: bufio.NewWriterSize(nil, outSize)}
}}

// takeWriters gives w empty writers, which write to its current connection.
func (w *Worker) takeWriters() {
	if w.writers == nil {
		w.writers = spareWriters.Get().(*writers)
	}
	w.out.Reset(connWriter{w})
}

// giveWriters gives the writers of w to other workers.
func (w *Worker) giveWriters() {
	w.pre.Reset(nil)
	w.out.Reset(nil)
	spareWriters.Put(w.writers)
	w.writers = nil
}

// A connWriter writes to the worker's connection, and records failure.
type connWriter struct{ w *Worker }

func (cw connWriter) Write(p []byte) (n int, err error) {
	w := cw.w
	w.writing = true
	switch {
	case w.tail != nil:
		n, err = w.writeTail(p)
	case w.last:
		n, err = w.in.c.WriteEnd(p)
	default:
		n, err = w.in.c.Write(p)
	}
	w.writing = false
	if err != nil {
		w.writeFailed(err)
	} else if w.observation != nil {
		w.observeWrite()
	}
	return n, err
}

// writeTail writes p and then w.tail, and returns how much of p was written.
func (w *Worker) writeTail(p []byte) (n int, err error) {
	c := w.in.c
	n, err = c.TryWrite2(p, w.tail)
	if n > 0 && w.observation != nil {
		w.observeWrite() // before it waits
	}
	if err == nil && n < len(p) {
		var m int
		m, err = c.Write(p[n:])
		n += m
	}
	if n < len(p) {
		return n, err
	}
	w.tailed = n - len(p)
	if err == nil && w.tailed < len(w.tail) {
		var m int
		m, err = c.Write(w.tail[w.tailed:])
		w.tailed += m
	}
	return len(p), err
}

// writeFailed records a write error and cancels the request's context: the client will not get the
// response.
func (w *Worker) writeFailed(err error) {
	if w.writeErr != nil {
		return
	}
	w.writeErr = err
	if w.x != nil {
		w.x.clientGone()
	}
}

// attach makes c the current connection, with the bytes read from it before.
func (w *Worker) attach(c *Conn) {
	w.writeErr, w.tail, w.writing, w.last, w.timing, w.stayed = nil, nil, false, false, false, false
	w.takeWriters()
	w.in.c = &c.Conn
	w.in.resume(c.pending)
	c.pending = nil
}

// detach stores in c the bytes that were read from it but not used, and releases it.
func (w *Worker) detach(c *Conn) {
	c.pending = w.in.suspend()
	w.release()
}

// release drops all references to the connection.
func (w *Worker) release() {
	w.endExchange()
	w.in.limit(0)
	w.in.c = nil
	w.in.resume(nil)
	clear(w.fields)
	clear(w.values)
}

// endExchange ends the current exchange, if there is one.
func (w *Worker) endExchange() {
	if x := w.x; x != nil {
		w.x = nil
		x.release()
	}
}
