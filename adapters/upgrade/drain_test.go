//go:build unix

package upgrade_test

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

func TestOnDrainReturnsBeforeThePredecessorExits(t *testing.T) {
	s := start(t, role{Listen: []string{"tcp " + freePort(t)}, OnDrain: time.Second})
	s.upgrade()
	s.awaitLog(`OnDrain is done`)
	s.awaitLog(`ended well`)
}

func TestHijackedConnectionEndsBeforeThePredecessorExits(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(nc, "GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
	r := bufio.NewReader(nc)
	if line, err := r.ReadString('\n'); line != "hijacked\n" {
		t.Fatalf("got %q (%v)", line, err)
	}
	s.upgrade()
	if line, err := r.ReadString('\n'); line != "bye\n" {
		t.Errorf("got %q (%v), want the end of the handler", line, err)
	}
	s.awaitLog(`ended well`)
}
