package http1

import (
	"bufio"
	"net"
	"net/http"
)

// Hijack gives the connection to the handler: a *net.TCPConn or *net.UnixConn, or what the listener
// accepted. The bufio.Reader holds the bytes that were read but not used.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.unlock()
	switch {
	case w.stage == stageHijacked:
		return nil, nil, http.ErrHijacked
	case w.stage == stageDone:
		panic("net/http: Hijack called after ServeHTTP finished")
	}
	w.stopContinueLocked(false)
	if w.status != 0 {
		w.sendHeader(nil)
		w.out.Flush()
	}
	c, body := w.x.c, &w.x.body
	body.lock(c)
	defer body.mu.Unlock()
	rest := w.x.worker.in.bytes()
	w.countLocked() // before Release, after which a shutdown no longer waits for the connection
	nc, early, err := c.Release()
	if err != nil {
		w.uncountLocked()
		return nil, nil, err
	}
	w.stage = stageHijacked
	if h := w.x.worker.Hijacked; h != nil {
		defer h()
	}

	r := &PrefixConn{Conn: nc, Prefix: append(append([]byte(nil), rest...), early...)}
	w.deadlineMu.Lock()
	w.taken = r
	w.deadlineMu.Unlock()
	br := bufio.NewReaderSize(r, max(bufferSize, len(r.Prefix)))
	br.Peek(len(r.Prefix))
	body.takeLocked(br)
	return nc, bufio.NewReadWriter(br, bufio.NewWriterSize(nc, outSize)), nil
}

// countLocked counts the handler, which is about to hijack the connection.
func (w *response) countLocked() {
	w.counted = true
	w.x.srv.Hijackings.begin()
}

// uncountLocked notes that the handler has returned, or that it has not hijacked the connection.
func (w *response) uncountLocked() {
	if w.counted {
		w.counted = false
		w.x.srv.Hijackings.end()
	}
}

// handlerDone ends the stage in which the handler may use w. It does not end a hijacking.
func (w *response) handlerDone() {
	if w.stage == stageHandler {
		w.stage = stageDone
	}
}

// A PrefixConn is a net.Conn that first returns Prefix, bytes that were already read from it.
type PrefixConn struct {
	net.Conn
	Prefix []byte
}

func (c *PrefixConn) Read(p []byte) (int, error) {
	if len(c.Prefix) > 0 {
		n := copy(p, c.Prefix)
		c.Prefix = c.Prefix[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
