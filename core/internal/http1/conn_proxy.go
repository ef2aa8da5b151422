package http1

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// This file reads the header of the PROXY protocol, the first bytes of a connection whose peer is a
// proxy. On a connection that parks, a header that is incomplete holds no worker. On any other, a
// proxyproto.Conn reads it. Hooks are called afterwards, so that they know the client, and so that
// RemoteAddr does not wait. The limit on connections of one address is applied afterwards too.

// Meet notes who c, which has just been accepted and parks, comes from.
func (c *Conn) Meet(peer *listener.Addr) {
	if p := c.listener.Proxy; p != nil && trusts(p, peer) {
		c.phase = expecting
	}
}

func trusts(p *proxyproto.Policy, peer *listener.Addr) bool {
	if ap, ok := peer.AddrPort(); ok {
		return p.Trusts(ap.Addr())
	}
	_, unix := peer.NetAddr().(*net.UnixAddr)
	return unix && p.TrustsUnix()
}

// Expecting reports whether c's client is not known yet, since a proxy has to send its address.
func (c *Conn) Expecting() bool { return c.phase == expecting }

// waitPhase returns the phase by which the class of c's wait is chosen. The flag nothing says that
// c has sent nothing yet.
func (c *Conn) waitPhase(nothing bool) phase {
	p := c.phase
	if p == expecting && nothing && c.listener.Proxy.Optional() {
		p = fresh // whatever comes may be what c waits for
	}
	if p == fresh && !c.needsHandshake() {
		p = opened
	}
	return p
}

// errNoProxyHeader is returned if there is no header, and none has to be there.
var errNoProxyHeader = errors.New("no header of a proxy")

// readProxyHeader reads the header if c has to begin with one, and reports whether the worker goes
// on.
func (w *Worker) readProxyHeader(c *Conn) bool {
	if c.phase != expecting {
		return c.Parks() || w.awaitProxyHeader(c)
	}
	for {
		h, err := c.listener.Proxy.Parse(w.in.bytes())
		if err == proxyproto.ErrIncomplete {
			err = w.readForProxyHeader(c)
			if err == nil {
				continue
			}
		}
		switch err {
		case nil, errNoProxyHeader:
			w.in.r += h.Len
			if c.meetClient(h) {
				return true
			}
			w.detach(c)
			c.Shed()
			return false
		case park.ErrWait:
			c.clearHooksPending()
			if w.parkOrEnd(c) {
				return false
			}
		default:
			c.logProxy(err, w.in.bytes())
			w.end(c)
			return false
		}
	}
}

// readForProxyHeader reads more of the header, and usually what follows it.
func (w *Worker) readForProxyHeader(c *Conn) error {
	w.in.room(c.listener.Proxy.MaxHeader())
	b := w.in.readBuf()
	if c.needsHandshake() && (c.srv.ConnState != nil || c.srv.ConnContext != nil) {
		// The hooks get a tls.Conn, which reads what follows by itself: see readClientHello.
		n, err := c.headerPart(w.in.bytes())
		if err != nil {
			return err
		}
		b = b[:min(n, len(b))]
	}
	n, err := c.TryReadWire(b)
	w.in.commit(n)
	switch {
	case n > 0:
		return nil
	case err == io.EOF && c.listener.Proxy.Optional() && w.in.buffered() > 0:
		return errNoProxyHeader
	}
	return err
}

// headerPart returns how many of the bytes that have arrived belong to the header, of which have
// was read before; at least one. It does not read them.
func (c *Conn) headerPart(have []byte) (int, error) {
	if n := proxyproto.Missing(have); n > 0 {
		return n, nil
	}
	var buf [128]byte // for version 1; the beginning of version 2 says how long that is
	m := copy(buf[:], have)
	n, err := c.Peek(buf[m:])
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, park.ErrWait
	}
	h, err := c.listener.Proxy.Parse(buf[:m+n])
	switch {
	case err != nil: // if it is not a header, it does not matter what is read
		return n, nil
	case h.Len <= m:
		return 0, errNoProxyHeader
	}
	return h.Len - m, nil
}

// meetClient ends the wait for h, and reports whether the client may be served.
func (c *Conn) meetClient(h proxyproto.Header) bool {
	c.Began()
	c.phase = fresh
	if h.Source != nil {
		c.SetAddrs(h.Source, h.Destination)
	}
	return c.Scheduler.AdmitAddr(c)
}

// errAddrRefused is returned if the address of the client has no room for another connection.
var errAddrRefused = errors.New("too many connections of one address")

// tryProxyHeader reads the header, if c has to begin with one, as far as it has arrived, for code
// without a worker. It does not read what follows the header.
func (c *Conn) tryProxyHeader() error {
	for c.phase == expecting {
		h, err := c.listener.Proxy.Parse(c.pending)
		if err == proxyproto.ErrIncomplete {
			if err = c.readPending(); err == nil {
				continue
			}
		}
		if err != nil && err != errNoProxyHeader {
			return err
		}
		if c.pending = c.pending[h.Len:]; len(c.pending) == 0 {
			c.pending = nil
		}
		if !c.meetClient(h) {
			return errAddrRefused
		}
	}
	return nil
}

// readPending reads more of the header.
func (c *Conn) readPending() error {
	n, err := c.headerPart(c.pending)
	if err != nil {
		return err
	}
	all := append(make([]byte, 0, len(c.pending)+n), c.pending...)
	n, err = c.TryReadWire(all[len(all):cap(all)])
	if n > 0 {
		c.pending = all[:len(all)+n]
		return nil
	}
	return err
}

// passProxyHeader is tryProxyHeader for code that goes on with the request. It reports whether c is
// gone: parked until more of the header arrives, or refused. A worker, or Shed, has to handle an
// error.
func (c *Conn) passProxyHeader() (gone bool, err error) {
	for {
		switch err := c.tryProxyHeader(); err {
		case park.ErrWait:
			c.clearHooksPending()
			if c.parkUnowned(len(c.pending) == 0) {
				return true, nil
			}
		case errAddrRefused:
			c.Shed()
			return true, nil
		default:
			return false, err
		}
	}
}

// awaitProxyHeader reads the header of a connection that does not park, and waits. It reports
// whether the worker goes on.
func (w *Worker) awaitProxyHeader(c *Conn) bool {
	pc := c.proxyConn()
	if pc == nil {
		return true
	}
	c.clearHooksPending()
	d := c.srv.headerTimeout()
	if c.overTLS() {
		d = c.srv.handshakeTimeout()
	}
	if d > 0 { // an optional header has a timeout only from its first byte
		c.SetReadDeadline(time.Now().Add(d))
	}
	c.beginWait()
	if c.srv.Draining() {
		c.interrupt()
	}
	err := pc.ReadHeader()
	c.endWait()
	if err != nil {
		c.listener.Proxy.Log(c.srv.Logf, pc.NetConn().RemoteAddr(), err)
		w.end(c)
		return false
	}
	c.SetReadDeadline(time.Time{})
	return true
}

// proxyConn returns the proxyproto.Conn that a connection which does not park consists of, below
// TLS. It returns nil if there is none.
func (c *Conn) proxyConn() *proxyproto.Conn {
	if c.listener.Proxy == nil {
		return nil
	}
	nc, _ := c.NetConn()
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	pc, _ := nc.(*proxyproto.Conn)
	return pc
}

// logProxy logs that c is closed because of err. sent is the part of the header that has arrived.
func (c *Conn) logProxy(err error, sent []byte) {
	c.listener.Proxy.Log(c.srv.Logf, textAddr(c.peer()), proxyproto.Incomplete(err, sent))
}

// expireHeader ends c, whose proxy has taken too long to send its header, and logs that in the
// background.
func (c *Conn) expireHeader() {
	if sent := c.pending; len(sent) > 0 {
		proxy := textAddr(c.RemoteAddr())
		c.srv.logLater(func() {
			c.listener.Proxy.Log(c.srv.Logf, proxy, proxyproto.Incomplete(os.ErrDeadlineExceeded, sent))
		})
	}
	c.EndInBackground()
}
