package http1

import (
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"syscall"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// sniffLen is how many bytes http.DetectContentType examines.
const sniffLen = 512

// ReadFrom is called by io.Copy. If the body needs no framing, ReadFrom copies it directly to the
// connection, by the kernel if possible, so that data from a slow source is sent at once. As in
// net/http, this applies to TCP connections, to Unix sockets only if src is a file, and to other
// connections only if they implement io.ReaderFrom. It does not apply to TLS.
//
// The mutex is not held while src is read, because src may use the ResponseWriter, and may block
// forever.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	plain := struct{ io.Writer }{w}
	direct, begun := w.copiesFrom(src)
	if !direct {
		return io.CopyBuffer(plain, src, buf)
	}
	if !begun {
		// Send nothing before there is data, the beginning of which is sniffed.
		n, err = io.CopyBuffer(plain, io.LimitReader(src, sniffLen), buf)
		if err != nil || n < sniffLen {
			return n, err
		}
	}
	c, own, room, ok := w.beginCopy()
	if !ok {
		k, err := io.CopyBuffer(plain, src, buf)
		return n + k, err
	}
	from, restore := shortened(src, room)
	var k, noted int64 // bytes sent, and those of them not counted by copyDirect
	defer func() { w.endCopy(noted) }()
	if own != nil {
		k, err = own.ReadFrom(from)
		noted = k
	} else {
		k, err = w.copyDirect(from, buf)
		err = c.ReadFromError(err)
	}
	restore()
	if k == room {
		if more, _ := src.Read([]byte{0}); more > 0 && err == nil {
			err = http.ErrContentLength
		}
	}
	return n + k, err
}

// shortened returns a reader for the next n bytes of src, and a function to call after reading from
// it. If the kernel can copy from src, it can copy from the returned reader.
func shortened(src io.Reader, n int64) (r io.Reader, restore func()) {
	if n == unlimited {
		return src, func() {}
	}
	l, ok := src.(*io.LimitedReader)
	if !ok {
		return io.LimitReader(src, n), func() {}
	}
	excess := max(l.N-n, 0)
	l.N -= excess
	return l, func() { l.N += excess }
}

const unlimited = math.MaxInt64

// copiesFrom reports whether src can be copied directly to the connection, provided that the
// framing allows it, and whether the header has been sent.
func (w *response) copiesFrom(src io.Reader) (direct, begun bool) {
	w.mu.Lock()
	defer w.unlock()
	if w.stage != stageHandler {
		return false, false
	}
	c := w.x.c
	if c.SendsFiles() {
		return c.CopiesFrom(src), w.sent
	}
	return c.ReaderFrom() != nil, w.sent
}

// beginCopy sends what has been written so far, and reports whether the body can be copied directly
// to the connection. If so, the caller must call endCopy, and may send at most room bytes. own is
// not nil if the connection implements io.ReaderFrom itself.
func (w *response) beginCopy() (c *Conn, own io.ReaderFrom, room int64, ok bool) {
	w.mu.Lock()
	defer w.unlock()
	if w.stage != stageHandler {
		return nil, nil, 0, false
	}
	w.flushLocked() // the next write returns any error
	if w.chunking || w.head || !w.hasBody() {
		return nil, nil, 0, false
	}
	room = unlimited
	if w.declared != -1 && gohttp.CopyStopsAtLength {
		room = w.declared - w.written
	}
	w.copying++
	return w.x.c, w.x.c.ReaderFrom(), room, true
}

// endCopy adds n bytes that the connection has sent by itself.
func (w *response) endCopy(n int64) {
	w.mu.Lock()
	defer w.unlock()
	w.copying--
	w.written += n
}

// copyDirect copies src to a connection that is a bare descriptor, bypassing the buffers.
func (w *response) copyDirect(src io.Reader, buf []byte) (n int64, err error) {
	from, remain := src, int64(unlimited)
	limited, _ := src.(*io.LimitedReader)
	if limited != nil {
		from, remain = limited.R, limited.N
	}
	if remain <= 0 {
		return 0, nil
	}
	// Use interfaces, because an *os.File and a *net.TCPConn hide their type from io.Copy.
	switch from := from.(type) {
	case interface{ File() (*os.File, error) }:
		// src is a socket. Package net would splice, but that requires a net.Conn, and waits
		// without our limits.
		err = errors.ErrUnsupported
	case syscall.Conn:
		n, err = w.copyFile(from, remain)
		if limited != nil {
			limited.N -= n
		}
	default:
		err = errors.ErrUnsupported
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return n, err
	}
	k, err := io.CopyBuffer(directWriter{w}, src, buf)
	return n + k, err
}

// copyFile has the kernel copy up to remain bytes from f.
func (w *response) copyFile(f syscall.Conn, remain int64) (n int64, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, errors.ErrUnsupported // reading from f will return the actual error
	}
	for n < remain {
		k, called := int64(0), false
		rerr := raw.Read(func(fd uintptr) bool {
			called = true
			k, err = w.sendFile(fd, remain-n)
			return true
		})
		n += k
		switch {
		case !called:
			return n, errors.Join(errors.ErrUnsupported, rerr)
		case err != nil || k == 0:
			return n, err
		}
	}
	return n, nil
}

// sendFile sends the next bytes of a file.
func (w *response) sendFile(fd uintptr, max int64) (n int64, err error) {
	w.mu.Lock()
	defer w.unlock()
	if err := w.closedLocked(); err != nil {
		return 0, err
	}
	n, err = w.x.c.SendFile(fd, max)
	w.written += n
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		w.x.worker.writeFailed(err)
	}
	return n, err
}

// closedLocked returns an error if nothing can be sent any more.
func (w *response) closedLocked() error {
	switch {
	case w.stage == stageHijacked:
		return http.ErrHijacked
	case w.stage == stageDone:
		return errHandlerReturned
	}
	return nil
}

// A directWriter writes to the connection of a response, bypassing the buffers.
type directWriter struct{ w *response }

func (d directWriter) Write(p []byte) (int, error) {
	w := d.w
	w.mu.Lock()
	defer w.unlock()
	if err := w.closedLocked(); err != nil {
		return 0, err
	}
	n, err := w.x.c.Write(p)
	w.written += int64(n)
	if err != nil {
		w.x.worker.writeFailed(err)
	}
	return n, err
}
