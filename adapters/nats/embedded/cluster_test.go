package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
)

// A cluster is three servers.
type cluster struct {
	options []*server.Options
	servers []*embedded.Server
}

// nextPort is tried next by freePorts. Each process begins elsewhere.
var nextPort atomic.Int64

func init() { nextPort.Store(10000 + rand.Int64N(10000)) }

// freePorts returns ports that nobody listens on at the moment. They are below those that systems
// choose for connections and for port 0: otherwise one may be taken before, or while, a server of
// the test is restarted.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for len(ports) < n {
		port := int(nextPort.Add(1))
		if port >= 32768 {
			t.Fatal("no port is free")
		}
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			continue
		}
		defer l.Close()
		ports = append(ports, port)
	}
	return ports
}

func startCluster(t testing.TB) *cluster {
	t.Helper()
	const size = 3
	ports := freePorts(t, 2*size)
	var routes []*url.URL
	for _, p := range ports[size:] {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", p)})
	}
	c := &cluster{servers: make([]*embedded.Server, size)}
	for i := range size {
		c.options = append(c.options, &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: ports[i],
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[size+i]},
			Routes:  routes, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		})
		c.start(t, i)
	}
	t.Cleanup(func() {
		for _, s := range c.servers {
			if s != nil {
				s.Close()
			}
		}
	})
	return c
}

func (c *cluster) start(t testing.TB, i int) {
	t.Helper()
	s, err := embedded.StartOptions(c.options[i].Clone())
	if err != nil {
		t.Fatal(err)
	}
	c.servers[i] = s
}

func (c *cluster) stop(i int) {
	c.servers[i].Close()
	c.servers[i] = nil
}

func (c *cluster) url() string {
	var list []string
	for _, o := range c.options {
		list = append(list, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(list, ",")
}

func TestPlaceOfCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: each stream elects a leader")
	}
	t.Parallel()
	c := startCluster(t)
	// Each instance has seven streams and many consumers, of three replicas each: a few at a time.
	slots := make(chan struct{}, 4)
	const crowded = "a call that has its worker is in the queue until three servers have noted that"
	tasktest.Run(t, tasktest.Target{
		Name: "cluster",
		Except: map[string]string{
			"callThatDoesNotFitIsShed":    crowded,
			"shedCallsAreObserved":        crowded,
			"timesAreObserved":            crowded,
			"closeShedsTheQueue":          crowded,
			"shutdownServesTasksAndQueue": crowded,
		},
		Start: func(t testing.TB, o offload.Config) *tasktest.Instance {
			slots <- struct{}{}
			in := instance(t, recyclingnats.Config{URL: c.url(), Name: nextName(), Replicas: 3, BacklogBytes: smallBacklog}, o)
			go func() {
				select {
				case <-in.Done:
				case <-time.After(2 * time.Minute):
				}
				<-slots
			}()
			return in
		},
	})
}
