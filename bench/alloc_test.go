package main

import (
	"context"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// BenchmarkKeepAliveGet is one GET through an http.ServeMux on a connection that stays. Its allocations are
// the server's: the client has its request and its buffer, and makes nothing.
//
//	go test -run '^$' -bench KeepAliveGet ./bench
func BenchmarkKeepAliveGet(b *testing.B) {
	for _, strategy := range strategies {
		b.Run(string(strategy), func(b *testing.B) {
			s := &recycling.Server{HTTP: &http.Server{Addr: "127.0.0.1:0", Handler: routes()}, Strategy: strategy}
			l, err := s.Listen(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			defer func() {
				s.Close()
				<-served
			}()
			c := newClient(l.Addr().(*net.TCPAddr), scenario{path: "/yo"})
			defer c.hangUp()
			if _, err := c.do(); err != nil { // connects
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestClientAllocatesNothing keeps the benchmark's figures the server's.
func TestClientAllocatesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		answerWith(l, []byte("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nHey!"))
	}()
	defer func() {
		l.Close()
		<-served
	}()
	c := newClient(l.Addr().(*net.TCPAddr), scenario{path: "/yo"})
	defer c.hangUp()
	n := testing.AllocsPerRun(100, func() {
		if _, err := c.do(); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for each request, want none", n)
	}
}

// answerWith answers every read on the first connection to l.
func answerWith(l net.Listener, answer []byte) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	buf := make([]byte, 1<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		c.Write(answer)
	}
}
