package longrun

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
)

// ChildArg is the first argument of the program when it must call [ChildMain].
const ChildArg = "task"

// The roles of children, which are the first argument of ChildMain. The second argument is the
// role's parameter as JSON.
const (
	roleSite   = "site"   // parameter: a duration, the external server's latency
	roleWorker = "worker" // parameter: a setup
)

// ChildMain is the main function of a child process: [Run] starts the program again, with
// [ChildArg] before args. It returns when standard input ends; then the process must exit.
func ChildMain(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("longrun: a child has %d arguments, want 2", len(args))
	}
	switch args[0] {
	case roleSite:
		var latency time.Duration
		if err := json.Unmarshal([]byte(args[1]), &latency); err != nil {
			return err
		}
		return serveSite(latency)
	case roleWorker:
		var s setup
		if err := json.Unmarshal([]byte(args[1]), &s); err != nil {
			return err
		}
		return serveTasks(s)
	}
	return fmt.Errorf("longrun: there is no role %q", args[0])
}

// serveTasks runs a worker process. Each request to it is the name of a task.
func serveTasks(s setup) error {
	w, err := newWorker(s)
	if err != nil {
		return err
	}
	return child.Serve(func(name []byte) ([]byte, error) {
		t, err := taskNamed(string(name))
		if err != nil {
			return nil, err
		}
		return nil, t.do(w, context.Background())
	})
}

// startSite starts the process of the simulated servers. The caller must stop it.
func startSite(ctx context.Context, latency time.Duration) (*harness.Process, site, error) {
	var s site
	text, err := json.Marshal(latency)
	if err != nil {
		return nil, s, err
	}
	p, err := harness.Start(ctx, harness.Command{Args: []string{ChildArg, roleSite, string(text)}, Stderr: os.Stderr})
	if err != nil {
		return nil, s, fmt.Errorf("longrun: the simulated servers did not start: %w", err)
	}
	answer, err := p.Ask("site")
	if err == nil {
		err = json.Unmarshal([]byte(answer), &s)
	}
	if err != nil {
		p.Stop()
		return nil, s, fmt.Errorf("longrun: the simulated servers: %w", err)
	}
	return p, s, nil
}

// startWorkers starts the worker processes, with a queue that has room for all clients. When ctx
// ends they are killed, and their failures are not logged.
func startWorkers(ctx context.Context, s setup, c Config) (*offload.Resources[*child.Process], error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := child.Command{New: func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, ChildArg, roleWorker, string(text))
		cmd.Stderr = os.Stderr
		return cmd
	}}
	return offload.NewResources(ctx, offload.ResourceConfig[*child.Process]{
		Config: bounds(c),
		Open:   cmd.Start,
		Close:  (*child.Process).Close,
		Failed: func(err error) {
			if ctx.Err() == nil {
				log.Print(err)
			}
		},
	})
}
