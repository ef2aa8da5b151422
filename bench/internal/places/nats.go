package places

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
	"github.com/recycling-go/recycling/bench/internal/trial/natsnode"
)

func openNATS(ctx context.Context, c Config) (*Opened, error) {
	client, err := recyclingnats.Connect(ctx, recyclingnats.Config{Embedded: embedded.Start, Queue: c.Queue, Wait: c.Wait})
	if err != nil {
		return nil, err
	}
	w, err := client.NewWorker(c.Tasks, recyclingnats.WorkerConfig{Workers: c.Workers})
	if err != nil {
		client.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		w.Run(ctx) // if it does not serve, the first call fails
		close(done)
	}()
	return &Opened{client, func() {
		cancel()
		<-done
		client.Close()
	}}, nil
}

// floorSubject is where requests of the floor go.
const floorSubject = "bench.floor"

// answerFloor answers requests of the floor. If several processes do, one of them answers each.
func answerFloor(client *recyclingnats.Client) (*nats.Subscription, error) {
	return client.Conn().QueueSubscribe(floorSubject, "bench", func(m *nats.Msg) { m.Respond(m.Data) })
}

func requestHere(ctx context.Context, o *Opened) (func(context.Context) error, func(), error) {
	s, err := answerFloor(o.Place.(*recyclingnats.Client))
	if err != nil {
		return nil, nil, err
	}
	call, _, err := requestThere(ctx, o)
	return call, func() { s.Unsubscribe() }, err
}

func requestThere(_ context.Context, o *Opened) (func(context.Context) error, func(), error) {
	conn := o.Place.(*recyclingnats.Client).Conn()
	b := make([]byte, message)
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err := conn.RequestWithContext(ctx, floorSubject, b)
		return err
	}, func() {}, nil
}

// clusterConfig is how clients and workers use the NATS servers on three hosts.
func (p process) clusterConfig() recyclingnats.Config {
	return recyclingnats.Config{URL: p.URL, Replicas: 3, Queue: p.Config.Queue, Wait: p.Config.Wait, BacklogBytes: 64 << 20}
}

// openHosts makes three hosts, each with a NATS server and its share of the workers.
func openHosts(ctx context.Context, c Config) (_ *Opened, err error) {
	dir, err := os.MkdirTemp("", "bench-places-")
	if err != nil {
		return nil, err
	}
	cleanup := []func(){func() { os.RemoveAll(dir) }}
	stop := func() {
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
		return nil, err
	}
	cleanup = append(cleanup, func() { network.Close() })
	var urls, routes []string
	for _, h := range network.Hosts {
		urls = append(urls, fmt.Sprintf("nats://%s:%d", h.Addr, natsnode.Port))
		routes = append(routes, fmt.Sprintf("%s:%d", h.Addr, natsnode.ClusterPort))
	}
	begin := func(h *hosts.Host, one process) error {
		p, err := one.startOn(ctx, h)
		if err == nil {
			cleanup = append(cleanup, p.Stop)
		}
		return err
	}
	for i, h := range network.Hosts {
		one := process{Role: roleServer, Node: natsnode.Node{
			Name: h.Name, Addr: strings.TrimPrefix(urls[i], "nats://"), Cluster: routes[i], Routes: routes, Store: h.Dir, Limit: 1 << 30,
		}}
		if err := begin(h, one); err != nil {
			return nil, err
		}
	}
	worker := process{Role: roleWorker, URL: strings.Join(urls, ","), Config: c}
	for i, h := range network.Hosts {
		one := worker
		if one.Config.Workers = (c.Workers + 2 - i) / 3; one.Config.Workers == 0 {
			continue
		}
		if err := begin(h, one); err != nil {
			return nil, err
		}
	}
	limited, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("NATS was not ready within a minute"))
	defer cancel()
	config := worker.clusterConfig()
	config.Options = append(config.Options, dialThrough(network))
	client, err := recyclingnats.Connect(limited, config)
	if err != nil {
		return nil, err
	}
	cleanup = append(cleanup, client.Close)
	return &Opened{client, stop}, nil
}

// startOn starts the process on a host.
func (p process) startOn(ctx context.Context, h *hosts.Host) (*harness.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var command harness.Command // without Stderr: NATS servers say a lot; an error has the last lines
	command.Program, command.Args = h.Command(program, p.args()...)
	started, err := harness.Start(ctx, command)
	if err != nil {
		return nil, fmt.Errorf("%s on %s did not start: %w", p.Role, h.Name, err)
	}
	return started, nil
}
