package proxyproto_test

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/listener/proxyproto"
)

const v1 = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"

// A pipeConn is one side of a net.Pipe with the address of a proxy.
type pipeConn struct{ net.Conn }

func (pipeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 4} }
func (pipeConn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(10, 1, 2, 4), Port: 80} }

// trusting returns a Config that trusts a pipeConn.
func trusting(set ...func(*proxyproto.Config)) *proxyproto.Config {
	c := &proxyproto.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, ErrorLog: log.New(io.Discard, "", 0)}
	for _, f := range set {
		f(c)
	}
	return c
}

// pipe returns a proxy's side of a connection, and the server's.
func pipe(t *testing.T, c *proxyproto.Config) (net.Conn, *proxyproto.Conn) {
	t.Helper()
	p, err := c.Policy()
	if err != nil {
		t.Fatal(err)
	}
	proxy, server := net.Pipe()
	t.Cleanup(func() { proxy.Close(); server.Close() })
	return proxy, p.Conn(pipeConn{server}).(*proxyproto.Conn)
}

func TestConnReadsTheHeaderByAnyMethod(t *testing.T) {
	for name, first := range map[string]func(*proxyproto.Conn){
		"Read":       func(c *proxyproto.Conn) { c.Read(nil) },
		"RemoteAddr": func(c *proxyproto.Conn) { c.RemoteAddr() },
		"LocalAddr":  func(c *proxyproto.Conn) { c.LocalAddr() },
		"ReadHeader": func(c *proxyproto.Conn) { c.ReadHeader() },
		"all": func(c *proxyproto.Conn) {
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() { c.RemoteAddr() })
				all.Go(func() { c.Read(nil) })
			}
			all.Wait()
		},
	} {
		proxy, c := pipe(t, trusting())
		sent := v1 + strings.Repeat("body", 1000)
		go func() {
			io.WriteString(proxy, sent)
			proxy.Close()
		}()
		first(c)
		if c.RemoteAddr().String() != "192.0.2.1:56324" || c.LocalAddr().String() != "198.51.100.1:443" {
			t.Errorf("%s: addresses are %v and %v", name, c.RemoteAddr(), c.LocalAddr())
		}
		if b, err := io.ReadAll(c); string(b) != sent[len(v1):] || err != nil {
			t.Errorf("%s: read %d bytes, %v", name, len(b), err)
		}
	}
}

func TestConnKeepsItsAddressesWithoutAHeader(t *testing.T) {
	var logged bytes.Buffer
	proxy, c := pipe(t, trusting(func(c *proxyproto.Config) { c.ErrorLog = log.New(&logged, "", 0) }))
	go io.WriteString(proxy, "GET / HTTP/1.1\r\n")
	if _, err := c.Read(make([]byte, 10)); !errors.Is(err, proxyproto.ErrNoHeader) {
		t.Errorf("the error is %v", err)
	}
	if got := c.RemoteAddr().String(); got != "10.1.2.3:4" {
		t.Errorf("address is %s", got)
	}
	want := "http: PROXY protocol error from 10.1.2.3:4: the connection does not begin with a header, but with \"GET / HTTP/1.1\\r\\n\"\n"
	if logged.String() != want {
		t.Errorf("the log is %q, want %q", &logged, want)
	}
}

func TestConnHasTheEarlierDeadline(t *testing.T) {
	for _, x := range []struct{ timeout, deadline, want time.Duration }{
		{0, 0, 5 * time.Second},
		{time.Second, 0, time.Second},
		{time.Second, time.Minute, time.Second},
		{time.Minute, time.Second, time.Second},
		{-1, time.Hour, time.Hour},
	} {
		for _, during := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				proxy, c := pipe(t, trusting(func(c *proxyproto.Config) { c.Timeout = x.timeout }))
				begun := time.Now()
				set := func() {
					if x.deadline > 0 {
						c.SetReadDeadline(begun.Add(x.deadline))
					}
				}
				if !during {
					set()
				}
				done := make(chan error, 1)
				go func() {
					_, err := c.Read(make([]byte, 1))
					done <- err
				}()
				io.WriteString(proxy, "PROXY ")
				if during {
					synctest.Wait()
					set()
				}
				if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, proxyproto.ErrIncomplete) {
					t.Errorf("the error is %v", err)
				}
				if got := time.Since(begun); got != x.want {
					t.Errorf("it took %v, want %v", got, x.want)
				}
			})
		}
	}
}

func TestConnHasTheDeadlineOfTheApplicationAfterTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxy, c := pipe(t, trusting())
		begun := time.Now()
		c.SetDeadline(begun.Add(time.Hour))
		go io.WriteString(proxy, v1)
		if err := c.ReadHeader(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestOptionalHeaderHasTheTimeoutFromItsFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxy, c := pipe(t, trusting(func(c *proxyproto.Config) { c.Optional = true }))
		begun := time.Now()
		done := make(chan error, 1)
		go func() { done <- c.ReadHeader() }()
		time.Sleep(time.Hour)
		io.WriteString(proxy, "P")
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != time.Hour+5*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// A panickyConn panics when it is read from.
type panickyConn struct{ pipeConn }

func (panickyConn) Read([]byte) (int, error) { panic("Read") }

func TestConnDoesNotTrustAHeaderThatCouldNotBeRead(t *testing.T) {
	p, err := trusting().Policy()
	if err != nil {
		t.Fatal(err)
	}
	_, server := net.Pipe()
	defer server.Close()
	c := p.Conn(panickyConn{pipeConn{server}}).(*proxyproto.Conn)
	func() {
		defer func() { recover() }()
		c.Read(make([]byte, 1))
	}()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the second read succeeds")
	}
}

func TestPolicyTrusts(t *testing.T) {
	p, err := (&proxyproto.Config{Trusted: []netip.Prefix{
		netip.MustParsePrefix("10.1.2.3/8"),
		netip.MustParsePrefix("::ffff:192.0.2.0/120"),
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("fe80::/10"),
	}}).Policy()
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[string]bool{
		"10.255.0.1": true, "11.0.0.1": false, "::ffff:10.0.0.1": true, "192.0.2.9": true, "192.0.3.9": false,
		"2001:db8:1::": true, "2001:db9::": false, "fe80::1%lo": true, "::": false, "0.0.0.0": false, "127.0.0.1": false,
	} {
		if got := p.Trusts(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is trusted: %v", a, got)
		}
	}
	if p.Trusts(netip.Addr{}) || p.TrustsUnix() {
		t.Error("unknown addresses are trusted")
	}
}

func TestPolicyNamesTheInvalidField(t *testing.T) {
	for want, c := range map[string]proxyproto.Config{
		"Trusted is empty":                       {Optional: true},
		"Trusted[1] is invalid Prefix":           {Trusted: []netip.Prefix{netip.MustParsePrefix("::/0"), {}}},
		"Trusted[0] is ::ffff:10.0.0.0/95, want": {Trusted: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 95)}},
		"MaxHeader is -1":                        {TrustUnix: true, MaxHeader: -1},
		"MaxHeader is 535":                       {TrustUnix: true, MaxHeader: 535},
		"MaxHeader is 65552":                     {TrustUnix: true, MaxHeader: 65552},
	} {
		if _, err := c.Policy(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func TestPolicyLogsTenLinesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := (&proxyproto.Config{TrustUnix: true}).Policy()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			n := 0
			for range 100 {
				p.Log(func(string, ...any) { n++ }, &net.UnixAddr{}, proxyproto.ErrMalformed)
				p.Log(func(string, ...any) { t.Error("the end was logged") }, &net.UnixAddr{}, io.EOF)
			}
			if n != 10 {
				t.Errorf("%d lines were logged, want 10", n)
			}
			time.Sleep(time.Second)
		}
	})
}
