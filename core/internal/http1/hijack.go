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
	rest := w.x.worker.in.bytes()
	phase := c.phase
	c.phase = hijacked // before Detach, which tells whoever counts connections
	nc, early, err := c.Detach()
	if err != nil {
		c.phase = phase
		return nil, nil, err
	}
	w.hijacked = true
	w.x.body.take()
	c.setState(http.StateHijacked)

	r := &rereader{ahead: append(append([]byte(nil), rest...), early...), c: nc}
	br := bufio.NewReaderSize(r, max(bufferSize, len(r.ahead)))
	br.Peek(len(r.ahead))
	return nc, bufio.NewReadWriter(br, bufio.NewWriterSize(nc, outSize)), nil
}

// A rereader reads what was read already, and then the connection.
type rereader struct {
	ahead []byte
	c     net.Conn
}

func (r *rereader) Read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	return r.c.Read(p)
}
