package http1

import "bufio"

// Sizes of response.pre and response.out.
const (
	preSize = 2 << 10
	outSize = 4 << 10
)

// A Worker serves one connection at a time, with memory of its own that it uses again and again.
// It belongs to one goroutine.
type Worker struct {
	// Hijacked is called, before the handler returns, when it has taken over the connection. Nil: nobody needs to know.
	Hijacked func()

	// Reserve says that it answers one request of a connection, and leaves what follows to others: see Server.Requeue.
	Reserve bool

	srv *Server
	in  input
	out *bufio.Writer // to the connection
	pre *bufio.Writer // to a framer, which writes to out

	x        *exchange // the one at hand
	writeErr error     // the first error in writing to this connection
	timing   bool      // the read deadline is that of the header, for a connection that does not park

	fields []field // of the answer's header: see collect
	values []string
}

// NewWorker returns a Worker for connections of s.
func NewWorker(s *Server) *Worker {
	w := &Worker{srv: s}
	w.in.buf = make([]byte, bufferSize)
	w.out = bufio.NewWriterSize(connWriter{w}, outSize)
	w.pre = bufio.NewWriterSize(framer{w}, preSize)
	return w
}

// A connWriter writes to the worker's connection, and notes if that fails.
type connWriter struct{ w *Worker }

func (cw connWriter) Write(p []byte) (int, error) {
	n, err := cw.w.in.c.Write(p)
	if err != nil {
		cw.w.writeFailed(err)
	}
	return n, err
}

// writeFailed ends the request's context: nobody gets the answer.
func (w *Worker) writeFailed(err error) {
	if w.writeErr != nil {
		return
	}
	w.writeErr = err
	if w.x != nil {
		w.x.clientGone()
	}
}

// attach makes c the connection at hand, with what was read of it before.
func (w *Worker) attach(c *Conn) {
	w.writeErr, w.timing = nil, false
	w.out.Reset(connWriter{w})
	w.in.c, w.in.r, w.in.w = &c.Conn, 0, 0
	if c.pending == nil {
		return
	}
	if len(c.pending) > bufferSize/2 {
		w.in.buf = c.pending[:cap(c.pending)] // it grew large: take it as it is
	} else {
		copy(w.in.buf, c.pending)
	}
	w.in.w = len(c.pending)
	c.pending = nil
}

// detach leaves with c what was read of it and not used.
func (w *Worker) detach(c *Conn) {
	b := w.in.bytes()
	switch {
	case len(b) == 0:
		c.pending = nil
	case len(b) > bufferSize/2:
		c.pending = b // give away the buffer: a header that comes in small pieces must not be copied for each of them
		w.in.buf = make([]byte, bufferSize)
	default:
		c.pending = append(make([]byte, 0, len(b)), b...)
	}
	w.release()
}

// release forgets the connection.
func (w *Worker) release() {
	if len(w.in.buf) != bufferSize {
		w.in.buf = make([]byte, bufferSize)
	}
	w.in.c, w.in.r, w.in.w, w.x = nil, 0, 0, nil
	w.in.limit(0)
	clear(w.fields)
	clear(w.values)
}
