package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

// childEnv is the environment variable that makes a process of this program a server. It holds a childConfig as JSON.
const childEnv = "RECYCLING_BENCH_TASKS"

// A childConfig says what server a process is, and what its tasks are.
type childConfig struct {
	Server  string        // see the constants
	Workers int           // of its pool; zero: the pool's default
	Queue   int           // of its pool, as are the following
	Wait    time.Duration //
	Sleep   time.Duration // of a task
	Spins   int           // of a task, after that
}

// Child is a server until standard input ends, and then exits, if the process was started to be one. In any other
// process it does nothing. The main function of every program that calls [Run] must call Child before anything else.
func Child() {
	v, ok := os.LookupEnv(childEnv)
	if !ok {
		return
	}
	var c childConfig
	err := json.Unmarshal([]byte(v), &c)
	if err == nil {
		err = c.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tasks: server:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve serves /task and /yo, says on standard output where, and returns when standard input ends.
func (c childConfig) serve() error {
	var heavy http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		task(c.Sleep, c.Spins)
		io.WriteString(w, "done")
	})
	if c.Server != unbounded {
		pool, err := c.pool()
		if err != nil {
			return err
		}
		defer pool.Close()
		heavy = pool.Middleware(heavy)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /task", heavy)
	mux.HandleFunc("GET /yo", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hey!") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &recycling.Server{HTTP: &http.Server{Handler: mux}, Strategy: recycling.Recycling}
	if c.Server == unbounded {
		s.Strategy = recycling.Goroutine // net/http itself
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	defer s.Close()
	fmt.Println(l.Addr())
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case err := <-served:
		return err
	case <-ended:
		return nil
	}
}

// pool returns the pool that c describes.
func (c childConfig) pool() (*offload.Pool, error) {
	policy := offload.Shared
	if c.Server == roundRobin {
		policy = offload.RoundRobin
	}
	return offload.New(offload.Config{Workers: c.Workers, Queue: c.Queue, Wait: c.Wait, Policy: policy})
}

// plain is a request that is the task itself.
func (c childConfig) plain(context.Context) error {
	task(c.Sleep, c.Spins)
	return nil
}

// do returns a request that is a call of the pool's.
func (c childConfig) do(pool *offload.Pool) request {
	return func(ctx context.Context) error {
		_, err := offload.Do(ctx, pool, func(ctx context.Context) (struct{}, error) { return struct{}{}, c.plain(ctx) })
		return err
	}
}
