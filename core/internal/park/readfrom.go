package park

import (
	"io"
	"io/fs"
	"net"
	"syscall"
)

// SendsFiles reports whether c is a socket of this package without TLS: see SendFile.
func (c *Conn) SendsFiles() bool { return c.parks && c.sec.Load() == nil }

// ReaderFrom returns an io.ReaderFrom for a net.Conn that is not a socket of this package but
// implements that interface, as a *net.TCPConn does. It returns nil for others, and with TLS.
func (c *Conn) ReaderFrom() io.ReaderFrom {
	if c.parks || c.sec.Load() != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if rf, ok := c.handle.nc.(io.ReaderFrom); ok {
		return foreignCopier{c, rf}
	}
	return nil
}

// A foreignCopier copies to a net.Conn that is not a socket of this package. It copies files in
// pieces, so that progress can be observed.
type foreignCopier struct {
	c  *Conn
	to io.ReaderFrom
}

func (f foreignCopier) ReadFrom(src io.Reader) (int64, error) {
	if n, ok, err := f.c.sendPieces(f.to, src); ok {
		return n, err
	}
	return f.to.ReadFrom(src)
}

// CopiesFrom reports whether copying src to a socket of this package should write to the socket
// directly. That is always true for TCP, as for a *net.TCPConn; a *net.UnixConn does not implement
// it, so on Unix sockets it is true only for files that the kernel can copy.
func (c *Conn) CopiesFrom(src io.Reader) bool {
	if c.set.network() != "unix" {
		return true
	}
	if l, ok := src.(*io.LimitedReader); ok {
		src = l.R
	}
	f, ok := src.(interface {
		syscall.Conn
		Stat() (fs.FileInfo, error)
	})
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular()
}

// ReadFromError returns err as the ReadFrom method of a *net.TCPConn would.
func (c *Conn) ReadFromError(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if pe, ok := err.(*fs.PathError); ok {
		err = pe.Err
	}
	network := c.set.network()
	return &net.OpError{Op: "readfrom", Net: network, Source: c.LocalAddr(), Addr: textAddr{network, c.remote}, Err: err}
}
