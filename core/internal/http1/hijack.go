package http1

import (
	"bufio"
	"net"
	"net/http"
)

// Hijack gives the handler its connection: a *net.TCPConn or *net.UnixConn, or what the listener accepted. What was
// read of it and not used is in the bufio.Reader.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.hijacked:
		return nil, nil, http.ErrHijacked
	case w.over:
		panic("net/http: Hijack called after ServeHTTP finished")
	}
	w.stopContinue()
	if w.status != 0 {
		w.sendHeader(nil)
		w.out.Flush()
	}
	c := w.x.c
	w.x.body.interrupt(c)
	rest := w.x.worker.in.bytes()
	nc, early, err := c.Release()
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	w.x.body.take()
	if h := w.x.worker.Hijacked; h != nil {
		defer h()
	}

	r := &RereadConn{Conn: nc, Ahead: append(append([]byte(nil), rest...), early...)}
	br := bufio.NewReaderSize(r, max(bufferSize, len(r.Ahead)))
	br.Peek(len(r.Ahead))
	return nc, bufio.NewReadWriter(br, bufio.NewWriterSize(nc, outSize)), nil
}

// settle says that the handler has returned, and reports whether it has taken over the connection.
func (w *response) settle() (hijacked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = w.over || !w.hijacked
	return w.hijacked
}

// A RereadConn begins with bytes that were read already.
type RereadConn struct {
	net.Conn
	Ahead []byte
}

func (c *RereadConn) Read(p []byte) (int, error) {
	if len(c.Ahead) > 0 {
		n := copy(p, c.Ahead)
		c.Ahead = c.Ahead[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
