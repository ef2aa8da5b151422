package recycling_test

import (
	"bufio"
	"context"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

func ExampleServe() {
	router := http.NewServeMux() // or any other http.Handler
	router.HandleFunc("GET /yo", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("Hey!"))
	})
	if err := recycling.Serve(router); err != nil { // was: http.ListenAndServe(":8080", router)
		log.Fatal(err)
	}
}

// An application that has an http.Server keeps it, with its timeouts, hooks and shutdown code.
func ExampleServer() {
	router := http.NewServeMux()
	srv := &recycling.Server{HTTP: &http.Server{
		Addr:              ":8080",
		Handler:           router,
		ReadHeaderTimeout: 10 * time.Second,
	}}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	drained := make(chan error, 1)
	context.AfterFunc(ctx, func() { drained <- srv.Shutdown(context.Background()) })
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-drained; err != nil {
		log.Fatal(err)
	}
}

// An application that changes only one line continues to call its http.Server.
func ExampleUse() {
	srv := &http.Server{Addr: ":8080", Handler: http.NewServeMux()}
	recycling.Use(srv)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	drained := make(chan error, 1)
	context.AfterFunc(ctx, func() { drained <- srv.Shutdown(context.Background()) })
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-drained; err != nil {
		log.Fatal(err)
	}
}

// Package expvar shows the counters at /debug/vars, which it registers with http.DefaultServeMux.
func ExampleServer_Stats() {
	srv := recycling.New(http.NewServeMux())
	expvar.Publish("recycling", expvar.Func(func() any { return srv.Stats() }))

	fmt.Println(strings.Contains(expvar.Get("recycling").String(), `"workers":0`))
	// Output: true
}

// The strategy and its limits can also be set in code.
func ExampleOption() {
	router := http.NewServeMux()
	pool := func(s *recycling.Server) {
		s.Strategy = recycling.Fixed
		s.MaxWorkers = 64
	}
	if err := recycling.Serve(router, recycling.Addr(":8081"), pool); err != nil {
		log.Fatal(err)
	}
}

// Behind a TCP load balancer in 10.0.0.0/24 that sends the PROXY protocol, requests have the
// address of the client.
func ExampleServer_proxyProtocol() {
	srv := &recycling.Server{
		HTTP: &http.Server{Addr: ":8443", Handler: http.NewServeMux()},
		ProxyProtocol: &proxyproto.Config{
			Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
		},
		Limits: recycling.Limits{MaxConnsPerIP: 100}, // counts clients
	}
	log.Fatal(srv.ListenAndServeTLS("cert.pem", "key.pem"))
}

// As in net/http, Shutdown leaves hijacked connections alone, such as WebSockets. Functions given
// to RegisterOnShutdown can tell them, and a WaitGroup waits for them.
func ExampleServer_upgrade() {
	var upgraded sync.WaitGroup
	ending := make(chan struct{})
	srv := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: greeting\r\n\r\nhello\n")
		<-ending
		io.WriteString(conn, "good-bye\n")
		upgraded.Done()
	})}}
	srv.HTTP.RegisterOnShutdown(func() { close(ending) })

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go srv.Serve(l)

	upgraded.Add(1)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: greeting\r\n\r\n")
	lines := bufio.NewScanner(client)
	for lines.Scan() && lines.Text() != "hello" {
	}
	fmt.Println(lines.Text())

	if err := srv.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	upgraded.Wait()
	lines.Scan()
	fmt.Println(lines.Text())
	// Output:
	// hello
	// good-bye
}

// Server-sent events that end when the server drains, so that a restart does not wait for them.
func ExampleServer_Draining() {
	ticks := make(chan string)
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		draining := recycling.FromContext(r.Context()).Draining()
		for {
			select {
			case tick := <-ticks:
				fmt.Fprintf(w, "data: %s\n\n", tick)
				http.NewResponseController(w).Flush()
			case <-draining:
				return // the client connects again, to another server
			case <-r.Context().Done():
				return
			}
		}
	})
	if err := recycling.Serve(nil); err != nil {
		log.Fatal(err)
	}
}
