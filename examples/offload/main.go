// Command offload runs a heavy task in child processes, two at a time, and meanwhile answers all
// other requests:
//
//	go run ./examples/offload &
//	curl localhost:8080/primes/5000000     # the number of primes below 5,000,000
//	curl localhost:8080/yo
//
// A task may crash, hang or use too much memory; the server only sees an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
)

// childEnv is set for the child processes, which run this same program.
const childEnv = "EXAMPLE_CHILD"

func main() {
	if os.Getenv(childEnv) != "" {
		if err := child.Serve(countPrimes); err != nil {
			log.Fatal(err)
		}
		return
	}
	addr := flag.String("addr", ":8080", "listen on this `address`")
	flag.Parse()
	if err := serve(*addr); err != nil {
		log.Fatal(err)
	}
}

func serve(addr string) error {
	ctx := context.Background()
	children, err := startChildren(ctx)
	if err != nil {
		return err
	}
	defer children.Close()
	return recycling.Serve(routes(children), recycling.Addr(addr))
}

func startChildren(ctx context.Context) (*offload.Resources[*child.Process], error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := child.Command{New: func() *exec.Cmd {
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), childEnv+"=1")
		cmd.Stderr = os.Stderr
		return cmd
	}}
	return offload.NewResources(ctx, offload.ResourceConfig[*child.Process]{
		Config: offload.Config{Workers: 2, Queue: 16, Wait: 2 * time.Second, Timeout: 10 * time.Second},
		Open:   command.Start,
		Close:  (*child.Process).Close,
	})
}

func routes(children *offload.Resources[*child.Process]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /yo", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Hey!") })
	mux.HandleFunc("GET /primes/{below}", func(w http.ResponseWriter, r *http.Request) {
		n, err := offload.Use(r.Context(), children, func(ctx context.Context, p *child.Process) ([]byte, error) {
			return p.Call(ctx, []byte(r.PathValue("below")))
		})
		var shed *offload.ShedError
		switch {
		case errors.As(err, &shed): // the queue is full, or the wait was too long
			w.Header().Set("Retry-After", offload.RetryAfter(err))
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.Write(n)
		}
	})
	return mux
}

// countPrimes is the task: it counts the primes below a number.
func countPrimes(request []byte) ([]byte, error) {
	below, err := strconv.ParseUint(string(request), 10, 26)
	if err != nil {
		return nil, err
	}
	composite := make([]bool, below)
	n := 0
	for i := uint64(2); i < below; i++ {
		if composite[i] {
			continue
		}
		n++
		for j := i * i; j < below; j += i {
			composite[j] = true
		}
	}
	return strconv.AppendInt(nil, int64(n), 10), nil
}
