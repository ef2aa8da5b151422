package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
	"github.com/recycling-go/recycling/bench/internal/trial/natsnode"
)

const (
	workersOfHost = 2       // processes
	tasksOfWorker = 4       // at the same time
	numServers    = 2       // HTTP servers
	diskSize      = 3 << 29 // of a host
	httpPort      = 8080
	workerGrace   = 1500 * time.Millisecond // the harness kills after 2 s
)

// A trial is one call of Run.
type trial struct {
	Config
	progress *record.Progress
	dir      string
	net      *hosts.Network // nil if Local
	http     *http.Client
	random   *random

	nodes   []*node // all of them
	nats    []*node
	workers []*node
	servers []*node

	wg sync.WaitGroup // of the goroutines that wait for the end of a fault

	mu      sync.Mutex // guards the following
	history history.History
	notes   []string // what happened that nobody has asked for
	crashes int
	revived int // dead letters that were enqueued again
}

// A random is a source of random numbers for several goroutines.
type random struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newRandom(seed uint64) *random { return &random{r: rand.New(rand.NewPCG(seed, 0))} }

func (r *random) intN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.IntN(n)
}

// between returns a duration from min to max.
func (r *random) between(min, max time.Duration) time.Duration {
	return min + time.Duration(r.intN(int(max-min)+1))
}

// makeMachines makes the hosts, and says which processes run on them.
func (t *trial) makeMachines(ctx context.Context) error {
	names := []string{"host1", "host2", "host3", "front"}
	var machines []*machine
	transport := &http.Transport{MaxIdleConnsPerHost: 100, DisableKeepAlives: true}
	t.http = &http.Client{Transport: transport}
	if t.Local {
		for _, name := range names {
			m := &machine{name: name, dir: filepath.Join(t.dir, name), addr: func(int) (string, error) { return harness.FreeAddr() }}
			if err := os.Mkdir(m.dir, 0o777); err != nil {
				return err
			}
			machines = append(machines, m)
		}
	} else {
		network, err := hosts.New(ctx, t.dir, names...)
		if err != nil {
			return err
		}
		t.net, transport.DialContext = network, network.Dial
		for _, h := range network.Hosts {
			machines = append(machines, &machine{name: h.Name, host: h, dir: h.Dir, addr: func(port int) (string, error) {
				return fmt.Sprintf("%s:%d", h.Addr, port), nil
			}})
		}
	}
	return t.placeNodes(machines[:3], machines[3])
}

// placeNodes says which processes run where.
func (t *trial) placeNodes(back []*machine, front *machine) error {
	var clients, routes []string
	for _, m := range back {
		client, err := m.addr(natsnode.Port)
		if err != nil {
			return err
		}
		route, err := m.addr(natsnode.ClusterPort)
		if err != nil {
			return err
		}
		clients, routes = append(clients, "nats://"+client), append(routes, route)
	}
	ledgers, effects, serving := filepath.Join(t.dir, "ledgers"), filepath.Join(t.dir, "effects"), filepath.Join(t.dir, "serving")
	for i, m := range back {
		s := setup{Role: "nats", Addr: strings.TrimPrefix(clients[i], "nats://"), Cluster: routes[i], Routes: routes, Store: filepath.Join(m.dir, "store"), Limit: 6 * backlogBytes}
		if m.host != nil {
			var err error
			if s.Store, err = m.host.Mount("store", diskSize); err != nil {
				return err
			}
		}
		t.nats = append(t.nats, t.newNode(m, "nats", s))
		for k := range workersOfHost {
			s := setup{Role: "worker", URLs: clients, Serving: serving, Ledger: ledgers, Effects: effects, Workers: tasksOfWorker, Grace: workerGrace}
			t.workers = append(t.workers, t.newNode(m, fmt.Sprintf("worker%d", k), s))
		}
	}
	for k := range numServers {
		addr, err := front.addr(httpPort + k)
		if err != nil {
			return err
		}
		t.servers = append(t.servers, t.newNode(front, fmt.Sprintf("server%d", k), setup{Role: "server", Addr: addr, URLs: clients, Serving: serving}))
	}
	return nil
}

// startNodes starts all processes, and returns a function that ends them.
func (t *trial) startNodes(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	stop = func() {
		cancel()
		running.Wait()
	}
	limited, release := context.WithTimeoutCause(ctx, time.Minute, errors.New("not all processes run after a minute"))
	defer release()
	for _, group := range [][]*node{t.nats, t.workers, t.servers} {
		for _, n := range group {
			running.Go(func() { n.supervise(ctx) })
		}
		for _, n := range group {
			if !n.serving(limited) {
				stop()
				return nil, fmt.Errorf("jobs: %s: %w\n%s", n.name, context.Cause(limited), strings.Join(t.notes, "\n"))
			}
		}
	}
	return stop, nil
}

// endFault adds a fault, which ends now, to the history.
func (t *trial) endFault(f history.Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.To = time.Now()
	t.history.Faults = append(t.history.Faults, f)
}

// note notes something that nobody has asked for.
func (t *trial) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.notes = append(t.notes, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// ended is called when a process has ended.
func (t *trial) ended(n *node, p *harness.Process) {
	n.mu.Lock()
	wanted := n.wanted
	n.mu.Unlock()
	if wanted {
		return
	}
	t.note("%s has ended by itself: %v\n%s", n.name, p.Err(), lastLines(p.Log(), 15))
	t.mu.Lock()
	t.crashes++
	t.mu.Unlock()
}

// lastLines returns the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
