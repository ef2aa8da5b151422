package park

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"reflect"
	"sync"
	"time"
	"unsafe"
)

// The application may call NetConn on a tls.Conn, and must get the net.Conn, as with net/http, not
// a wire. So if the application holds the tls.Conn while the connection is served, because of a
// hook, the tls.Conn runs on the net.Conn itself, and deadlines make its reads nonblocking.
// Otherwise the net.Conn replaces the wire when the application gets the tls.Conn or a
// tls.ClientHelloInfo.

// SecureNetConn is like Secure, for a connection whose tls.Conn the application gets at once: the
// tls.Conn runs on a net.Conn.
func (c *Conn) SecureNetConn(config *tls.Config) error {
	nc, err := c.netConn()
	if err != nil {
		return err
	}
	s := &secure{conn: tls.Server(nc, config)}
	s.wire.c = c
	s.direct.Store(&direct{s: s, nc: nc})
	c.sec.Store(s)
	return nil
}

// Direct reports whether c's tls.Conn runs on a net.Conn, as after SecureNetConn, so that nothing
// may be read before the handshake.
func (c *Conn) Direct() bool {
	s := c.sec.Load()
	return s != nil && s.direct.Load() != nil
}

// Readable reports whether a read would not block.
func (c *Conn) Readable() bool {
	in, _ := c.poll()
	return in
}

// partTime is how long a nonblocking read waits for the rest of a record that has arrived in part.
const partTime = time.Millisecond

// A direct makes nonblocking reads from a tls.Conn that runs on a net.Conn.
type direct struct {
	s  *secure
	nc net.Conn

	mu     sync.Mutex // guards following
	trying bool       // a read that must not block is in progress
	both   bool       // writing must not block either, in case crypto/tls has to reply
	timer  *time.Timer
}

// handle returns what bounds the waits of d.
func (d *direct) handle() handle { return handle{kind: foreign, nc: d.nc} }

// overruled is the interval after which the deadline is set again, since the application may have
// changed it.
const overruled = 10 * partTime

// tryRead is secure.tryReadLocked. Package tls returns what it has buffered without a read from the
// socket. If it has buffered nothing, and the socket has no data, a deadline in the past keeps the
// read from blocking.
func (d *direct) tryRead(b []byte, alone bool) (int, error) {
	c := d.s.wire.c
	defer d.end()
	for {
		in, out := c.poll()
		by := longAgo
		if in {
			by = time.Now().Add(partTime)
		}
		d.begin(by, alone && !out)
		n, err := d.s.conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if !c.Readable() {
			return 0, ErrWait
		}
		// The deadline had passed before the read began.
	}
}

// begin sets the deadlines for a nonblocking read.
func (d *direct) begin(by time.Time, both bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trying, d.both = true, d.both || both
	d.setLocked(by)
	if d.timer == nil {
		d.timer = time.AfterFunc(overruled, d.overrule)
	} else {
		d.timer.Reset(overruled)
	}
}

func (d *direct) setLocked(by time.Time) {
	d.nc.SetReadDeadline(by)
	if d.both {
		d.nc.SetWriteDeadline(by)
	}
}

// overrule ends a read that has been in progress for too long.
func (d *direct) overrule() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trying {
		d.setLocked(longAgo)
		d.timer.Reset(overruled)
	}
}

// end restores the connection's own deadlines.
func (d *direct) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.s.wire.c
	d.timer.Stop()
	d.nc.SetReadDeadline(fromNanos(c.readBy.Load()))
	if d.both {
		d.nc.SetWriteDeadline(fromNanos(c.writeBy.Load()))
	}
	d.trying, d.both = false, false
}

// closeDirect is Close for a tls.Conn that runs on a net.Conn, and closes that too.
func (c *Conn) closeDirect(s *secure) error {
	if _, out := c.poll(); (!out || c.lingers()) && !c.is(abandonedFlag) {
		go c.finishDirect(s)
		return nil
	}
	return c.finishDirect(s)
}

func (c *Conn) finishDirect(s *secure) error {
	c.mu.Lock()
	c.set.untrack(c) // while the descriptor is still valid
	c.mu.Unlock()
	err := s.conn.Close()
	c.finish()
	return err
}

// reveal replaces the wire with nc. Package tls has no API for that, so it sets the unexported
// field; if the field is not as expected, the wire stays.
func (s *secure) reveal(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.direct.Load() != nil || len(s.wire.hello) > 0 {
		return
	}
	under := reflect.ValueOf(s.conn).Elem().FieldByName("conn")
	if !under.IsValid() || under.Type() != reflect.TypeFor[net.Conn]() {
		return
	}
	*(*net.Conn)(unsafe.Pointer(under.UnsafeAddr())) = nc
	s.direct.Store(&direct{s: s, nc: nc})
}

// TLSConfig returns a copy of config whose callbacks find the net.Conn in the tls.ClientHelloInfo.
// It returns config itself if that has no such callbacks.
func TLSConfig(config *tls.Config) *tls.Config {
	if config == nil || config.GetCertificate == nil && config.GetConfigForClient == nil && config.GetEncryptedClientHelloKeys == nil {
		return config
	}
	config = config.Clone()
	if f := config.GetCertificate; f != nil {
		config.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return f(withNetConn(h)) }
	}
	if f := config.GetEncryptedClientHelloKeys; f != nil {
		config.GetEncryptedClientHelloKeys = func(h *tls.ClientHelloInfo) ([]tls.EncryptedClientHelloKey, error) { return f(withNetConn(h)) }
	}
	if f := config.GetConfigForClient; f != nil {
		config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			config, err := f(withNetConn(h))
			return TLSConfig(config), err
		}
	}
	return config
}

// LiveTLSConfig is TLSConfig for a config that may still change, as by SetSessionTicketKeys: each
// handshake uses the config as it is then. Session ticket keys that the server generated itself
// stay the same.
func LiveTLSConfig(config *tls.Config) *tls.Config {
	if TLSConfig(config) == config { // or nil
		return config
	}
	base := config.Clone()
	base.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if f := config.GetConfigForClient; f != nil {
			if c, err := f(withNetConn(h)); c != nil || err != nil {
				return TLSConfig(c), err
			}
		}
		now := TLSConfig(config)
		now.GetConfigForClient = nil // already called
		return now, nil
	}
	return base
}

// withNetConn puts the net.Conn into h. Nothing reads or writes the connection at this moment.
func withNetConn(h *tls.ClientHelloInfo) *tls.ClientHelloInfo {
	if w, ok := h.Conn.(*wire); ok {
		if nc, err := w.c.netConn(); err == nil {
			h.Conn = nc
		}
	}
	return h
}
