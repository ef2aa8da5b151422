package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// serve is the server process: bench serve [-addr ADDRESS] [-child]. It prints its address and serves until it is killed.
func serve(args []string) error {
	f := flag.NewFlagSet("bench serve", flag.ContinueOnError)
	addr := f.String("addr", "127.0.0.1:0", "listen on this `address`")
	child := f.Bool("child", false, "end when standard input does")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *child {
		go endWithInput()
	}
	srv := &http.Server{Addr: *addr, Handler: routes()}
	if os.Getenv(recycling.EnvStrategy) == string(recycling.Goroutine) {
		return serveNetHTTP(srv)
	}
	s := &recycling.Server{HTTP: srv}
	l, err := s.Listen(context.Background())
	if err != nil {
		return err
	}
	announce(l)
	return s.Serve(l)
}

// serveNetHTTP is the control: what an application does that has never heard of this project. Package
// recycling's strategy goroutine would serve a listener with other socket options.
func serveNetHTTP(srv *http.Server) error {
	l, err := net.Listen("tcp", srv.Addr)
	if err != nil {
		return err
	}
	announce(l)
	return srv.Serve(l)
}

// announce tells the parent where to connect to.
func announce(l net.Listener) { fmt.Println(l.Addr()) }

// endWithInput ends the process when its parent is gone, however that went.
func endWithInput() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /yo", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Hey!")
	})
	mux.HandleFunc("GET /sleep/{ms}", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.ParseUint(r.PathValue("ms"), 10, 16)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		io.WriteString(w, "slept")
	})
	mux.HandleFunc("GET /cpu", func(w http.ResponseWriter, r *http.Request) {
		if d, err := ownCPU(); err == nil { // else the body is empty
			fmt.Fprint(w, d.Nanoseconds())
		}
	})
	return mux
}
