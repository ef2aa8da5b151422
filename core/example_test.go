package recycling_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	recycling "github.com/recycling-go/recycling/core"
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
	srv := &recycling.Server{HTTP: &http.Server{
		Addr:              ":8080",
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

// The strategy and its limits can also be chosen in code.
func ExampleOption() {
	router := http.NewServeMux()
	pool := func(s *recycling.Server) {
		s.Strategy = recycling.Pool
		s.MaxWorkers = 64
	}
	if err := recycling.Serve(router, recycling.Addr(":8081"), pool); err != nil {
		log.Fatal(err)
	}
}
