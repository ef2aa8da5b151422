package roll

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// ServerArg is the first argument of the program when it must call [ServerMain].
const ServerArg = "roll-server"

// netHTTP is the name of the server that is the control.
const netHTTP = "net/http"

// ServerMain is the main function of a server process; args are the arguments after [ServerArg]. It
// prints its address, and drains after SIGTERM. It exits when its standard input ends.
func ServerMain(args []string) error {
	f := flag.NewFlagSet(ServerArg, flag.ContinueOnError)
	f.SetOutput(io.Discard) // the error has the message
	server := f.String("server", "", "")
	addr := f.String("addr", "", "")
	lame := f.Duration("lame", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	go func() { // the parent is gone for any reason
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	h := &http.Server{Handler: mux}
	if *server == netHTTP {
		mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ready") })
		return serveNetHTTP(h, *addr)
	}
	s := &recycling.Server{HTTP: h, Strategy: recycling.Strategy(*server), LameDuck: *lame}
	mux.HandleFunc("/readyz", s.Ready)
	l, err := listener.Listen(context.Background(), "tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return s.Run(context.Background(), func() error { return s.Serve(l) })
}

// echo responds with the query and the body, after a few milliseconds.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(rand.N(5 * time.Millisecond))
	io.WriteString(w, r.URL.RawQuery)
	w.Write(body)
}

// serveNetHTTP serves as the documentation of http.Server.Shutdown suggests.
func serveNetHTTP(h *http.Server, addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println(l.Addr())
	down := make(chan error, 1)
	context.AfterFunc(ctx, func() { down <- h.Shutdown(context.Background()) })
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-down
}
