package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
)

// ServerArg is the first argument of the program when it must call [ServerMain].
const ServerArg = "tasks-server"

// A childConfig says which server a process runs, and what its tasks do.
type childConfig struct {
	Server  string        // one of the constants
	Workers int           // of its pool; zero means the pool's default
	Queue   int           // of its pool
	Wait    time.Duration // of its pool
	Sleep   time.Duration // how long a task sleeps
	Spins   int           // how long it computes afterwards
}

// ServerMain is the main function of the server process; args are the arguments after [ServerArg].
// The only one is a childConfig as JSON. ServerMain prints the server's address, and returns when
// standard input ends; then the process must exit.
func ServerMain(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("tasks: a server has %d arguments, want 1", len(args))
	}
	var c childConfig
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return err
	}
	return c.serve()
}

// serve serves /task and /yo, prints its address on standard output, and returns when standard
// input ends.
func (c childConfig) serve() error {
	if c.Server == grandchild {
		return child.Serve(func([]byte) ([]byte, error) {
			task(c.Sleep, c.Spins)
			return nil, nil
		})
	}
	var heavy http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		task(c.Sleep, c.Spins)
		io.WriteString(w, "done")
	})
	switch c.Server {
	case unbounded:
	case children:
		processes, err := c.children()
		if err != nil {
			return err
		}
		defer func() {
			processes.Close()
			<-processes.Done()
		}()
		heavy = inChildren(processes)
	default:
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

// children starts processes for the tasks that c describes.
func (c childConfig) children() (*offload.Resources[*child.Process], error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	one := c
	one.Server = grandchild
	v, err := json.Marshal(one)
	if err != nil {
		return nil, err
	}
	command := child.Command{Nice: 19, New: func() *exec.Cmd {
		cmd := exec.Command(program, ServerArg, string(v))
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
		cmd.Stderr = os.Stderr
		return cmd
	}}
	if runtime.GOOS == "windows" {
		command.Nice = 0 // Windows does not support it
	}
	return offload.NewResources(context.Background(), offload.ResourceConfig[*child.Process]{
		Config: offload.Config{Workers: c.Workers, Queue: c.Queue, Wait: c.Wait},
		Open:   command.Start,
		Close:  (*child.Process).Close,
	})
}

// inChildren returns a handler that lets a child run its task.
func inChildren(processes *offload.Resources[*child.Process]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := offload.Use(r.Context(), processes, func(ctx context.Context, p *child.Process) ([]byte, error) {
			return p.Call(ctx, nil)
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "done")
	})
}

// plain is a request that runs the task itself.
func (c childConfig) plain(context.Context) error {
	task(c.Sleep, c.Spins)
	return nil
}

// do returns a request that runs the task in the pool.
func (c childConfig) do(pool *offload.Pool) request {
	return func(ctx context.Context) error {
		_, err := offload.Do(ctx, pool, func(ctx context.Context) (struct{}, error) { return struct{}{}, c.plain(ctx) })
		return err
	}
}
