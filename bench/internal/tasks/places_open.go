package tasks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
	"github.com/recycling-go/recycling/bench/internal/trial/natsnode"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	offloadtask "github.com/recycling-go/recycling/core/offload/task"
)

func openLocal(_ context.Context, _ *workTasks, c childConfig) (offloadtask.Place, func(), error) {
	pool, err := offload.New(offload.Config{Workers: c.Workers, Queue: c.Queue, Wait: c.Wait})
	if err != nil {
		return nil, nil, err
	}
	return offloadtask.Local(pool), func() {
		pool.Close()
		<-pool.Done()
	}, nil
}

// ChildMain must be called at the beginning of the program: it does not return in a child process
// of a place.
func ChildMain() {
	if child.Is() {
		child.Main(&newWorkTasks().set)
	}
}

func openChildren(ctx context.Context, t *workTasks, c childConfig) (offloadtask.Place, func(), error) {
	g := child.Group{Name: "work"}
	g.Workers, g.Queue, g.Wait = c.Workers, c.Queue, c.Wait
	p, err := child.Open(ctx, child.Config{Tasks: &t.set, Groups: []child.Group{g}})
	if err != nil {
		return nil, nil, err
	}
	return p, func() {
		p.Close()
		<-p.Done()
	}, nil
}

func openEmbedded(ctx context.Context, t *workTasks, c childConfig) (offloadtask.Place, func(), error) {
	client, err := recyclingnats.Connect(ctx, recyclingnats.Config{Embedded: embedded.Start, Queue: c.Queue, Wait: c.Wait})
	if err != nil {
		return nil, nil, err
	}
	w, err := client.NewWorker(&t.set, recyclingnats.WorkerConfig{Workers: c.Workers})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		w.Run(ctx) // if it does not serve, the first call fails
		close(done)
	}()
	return client, func() {
		cancel()
		<-done
		client.Close()
	}, nil
}

// A natsConfig says what a process on a host is. It is passed to the process in a childConfig.
type natsConfig struct {
	Node natsnode.Node // if the process is a NATS server
	URL  string        // if it is a worker
}

// Main functions of processes, beside the servers.
const (
	natsServer = "NATS server"
	natsWorker = "NATS worker"
)

// clusterConfig is how clients and workers use the NATS servers on three hosts.
func (c childConfig) clusterConfig() recyclingnats.Config {
	return recyclingnats.Config{URL: c.NATS.URL, Replicas: 3, Queue: c.Queue, Wait: c.Wait, BacklogBytes: 64 << 20}
}

// serveNATS is the main function of the processes on the hosts.
func (c childConfig) serveNATS() error {
	if c.Server == natsServer {
		return c.NATS.Node.Run(func() { fmt.Println(c.NATS.Node.Addr) })
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := recyclingnats.Connect(ctx, c.clusterConfig())
	if err != nil {
		return err
	}
	defer client.Close()
	w, err := client.NewWorker(&newWorkTasks().set, recyclingnats.WorkerConfig{Workers: c.Workers})
	if err != nil {
		return err
	}
	fmt.Println(natsWorker)
	return w.Run(ctx)
}

// openHosts makes three hosts, each with a NATS server and its share of the workers.
func openHosts(ctx context.Context, _ *workTasks, c childConfig) (_ offloadtask.Place, stop func(), err error) {
	dir, err := os.MkdirTemp("", "bench-tasks-")
	if err != nil {
		return nil, nil, err
	}
	cleanup := []func(){func() { os.RemoveAll(dir) }}
	stop = func() {
		for i := len(cleanup) - 1; i >= 0; i-- {
			cleanup[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	network, err := hosts.New(ctx, dir, "host1", "host2", "host3")
	if err != nil {
		return nil, nil, err
	}
	cleanup = append(cleanup, func() { network.Close() })
	var urls, routes []string
	for _, h := range network.Hosts {
		urls = append(urls, fmt.Sprintf("nats://%s:%d", h.Addr, natsnode.Port))
		routes = append(routes, fmt.Sprintf("%s:%d", h.Addr, natsnode.ClusterPort))
	}
	begin := func(h *hosts.Host, one childConfig) error {
		p, err := startOn(ctx, h, one)
		if err == nil {
			cleanup = append(cleanup, p.Stop)
		}
		return err
	}
	for i, h := range network.Hosts {
		one := childConfig{Server: natsServer}
		one.NATS.Node = natsnode.Node{
			Name: h.Name, Addr: strings.TrimPrefix(urls[i], "nats://"), Cluster: routes[i], Routes: routes, Store: h.Dir, Limit: 1 << 30,
		}
		if err := begin(h, one); err != nil {
			return nil, nil, err
		}
	}
	c.NATS.URL = strings.Join(urls, ",")
	for i, h := range network.Hosts {
		one := c
		one.Server, one.Workers = natsWorker, (c.Workers+2-i)/3
		if one.Workers == 0 {
			continue
		}
		if err := begin(h, one); err != nil {
			return nil, nil, err
		}
	}
	limited, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("NATS was not ready within a minute"))
	defer cancel()
	config := c.clusterConfig()
	config.Options = append(config.Options, dialThrough(network))
	client, err := recyclingnats.Connect(limited, config)
	if err != nil {
		return nil, nil, err
	}
	cleanup = append(cleanup, client.Close)
	return client, stop, nil
}

// startOn starts a process on a host.
func startOn(ctx context.Context, h *hosts.Host, c childConfig) (*harness.Process, error) {
	command, err := c.command()
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command.Program, command.Args = h.Command(program, command.Args...)
	command.Stderr = nil // NATS servers say a lot; an error has the last lines
	p, err := harness.Start(ctx, command)
	if err != nil {
		return nil, fmt.Errorf("%s on %s did not start: %w", c.Server, h.Name, err)
	}
	return p, nil
}
