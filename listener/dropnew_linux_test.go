package listener_test

import (
	"net"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
)

func TestDropNewIgnoresClientsAndKeepsWhatHasBegun(t *testing.T) {
	l := listen(t, listener.Config{DeferAccept: -1}, "tcp", "127.0.0.1:0")
	r := raw(t, l)
	before, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	r.DropNew()
	const wait = 300 * time.Millisecond // less than a second, when the client tries again
	if c, err := net.DialTimeout("tcp", l.Addr().String(), wait); err == nil {
		c.Close()
		t.Error("a client has connected")
	} else if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
		t.Errorf("connecting failed with %v, want a timeout", err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The accepted connection works.
	for _, way := range [][2]net.Conn{{before, c}, {c, before}} {
		if _, err := way[0].Write([]byte("x")); err != nil {
			t.Error(err)
		}
		way[1].SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := way[1].Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
	}
}

func TestDropNewLeavesASharedSocketAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw(t, l).DropNew()
	c, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
