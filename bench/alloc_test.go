package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// BenchmarkKeepAliveGet sends GET requests through an http.ServeMux on one connection. The
// allocations are the server's: the client has a prepared request and buffer, and does not
// allocate.
//
//	go test -run '^$' -bench KeepAliveGet ./bench
func BenchmarkKeepAliveGet(b *testing.B) {
	for _, strategy := range []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed} {
		b.Run(string(strategy), func(b *testing.B) {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /yo", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hey!") })
			s := &recycling.Server{HTTP: &http.Server{Addr: "127.0.0.1:0", Handler: mux}, Strategy: strategy}
			l, err := listener.Listen(context.Background(), "tcp", s.HTTP.Addr)
			if err != nil {
				b.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			defer func() {
				s.Close()
				<-served
			}()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			request := []byte("GET /yo HTTP/1.1\r\nHost: localhost\r\n\r\n")
			buf := make([]byte, 4<<10)
			ask := func() {
				c.Write(request)
				n := 0
				for !bytes.HasSuffix(buf[:n], []byte("Hey!")) {
					m, err := c.Read(buf[n:])
					if err != nil {
						b.Fatal(err)
					}
					n += m
				}
			}
			ask()
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}
