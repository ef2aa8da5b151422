package longrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

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

// command returns the command that starts a child with that role. The child is killed when ctx
// ends.
func command(ctx context.Context, role string, knows any) (child.Command, error) {
	program, err := os.Executable()
	if err != nil {
		return child.Command{}, err
	}
	text, err := json.Marshal(knows)
	if err != nil {
		return child.Command{}, err
	}
	return child.Command{New: func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, ChildArg, role, string(text))
		cmd.Stderr = os.Stderr
		return cmd
	}}, nil
}

// startSite starts the process of the simulated servers. The caller must close it.
func startSite(ctx context.Context, latency time.Duration) (*child.Process, site, error) {
	var s site
	c, err := command(ctx, roleSite, latency)
	if err != nil {
		return nil, s, err
	}
	p, err := c.Start(ctx, nil)
	if err != nil {
		return nil, s, err
	}
	answer, err := p.Call(ctx, nil)
	if err == nil {
		err = json.Unmarshal(answer, &s)
	}
	if err != nil {
		return nil, s, errors.Join(err, p.Close())
	}
	return p, s, nil
}

// startWorkers starts the worker processes, with a queue that has room for all clients. When ctx
// ends they are killed, and their failures are not logged.
func startWorkers(ctx context.Context, s setup, c Config) (*offload.Resources[*child.Process], error) {
	cmd, err := command(ctx, roleWorker, s)
	if err != nil {
		return nil, err
	}
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
