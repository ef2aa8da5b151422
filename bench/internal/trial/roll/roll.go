package roll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A Config says what to try.
type Config struct {
	Duration time.Duration // for each kind of server; zero means 30 seconds
	Servers  []string      // strategies and net/http; empty means recycling, fixed and net/http
	Proxies  []string      // empty means nginx and haproxy
	LameDuck time.Duration // of the servers; zero means 3 seconds
	Pause    time.Duration // after each restart; zero means 1 second
	Clients  int           // of each proxy; zero means 8
}

func (c *Config) setDefaults() {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.Duration, 30*time.Second)
	set(&c.LameDuck, 3*time.Second)
	set(&c.Pause, time.Second)
	if c.Clients == 0 {
		c.Clients = 8
	}
	if len(c.Servers) == 0 {
		c.Servers = []string{"recycling", "fixed", netHTTP}
	}
	if len(c.Proxies) == 0 {
		c.Proxies = []string{"nginx", "haproxy"}
	}
}

// ErrFailed is the error of Run if requests have failed with a server other than net/http.
var ErrFailed = errors.New("roll: requests have failed")

// Run restarts servers of each kind in turn under load, and writes a table of what the clients
// behind each proxy have seen. It needs nginx and haproxy, and a system with SIGTERM.
func Run(ctx context.Context, c Config, p *record.Progress, w io.Writer) error {
	c.setDefaults()
	if runtime.GOOS == "windows" {
		return errors.New("roll: no process can be sent SIGTERM here")
	}
	chosen, err := choose(c.Proxies)
	if err != nil {
		return err
	}
	report := harness.Report{W: w, Wrong: ErrFailed}
	var rows [][]string
	for _, server := range c.Servers {
		p.Say("%s: restarts for %v", server, c.Duration)
		counts, restarts, err := c.try(ctx, server, chosen)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		for i, n := range counts {
			rows = append(rows, []string{chosen[i].name, server, fmt.Sprint(restarts), fmt.Sprint(n.gets), fmt.Sprint(n.post), fmt.Sprint(n.failed), n.reasons()})
			if n.failed > 0 && server != netHTTP {
				report.Fail(fmt.Errorf("%w: %d with %s behind %s: %s\n%s", ErrFailed, n.failed, server, chosen[i].name, n.reasons(), n.log))
			}
			if n.gets == 0 || n.post == 0 || restarts == 0 {
				report.Fail(fmt.Errorf("roll: with %s behind %s there were %d restarts, %d GET and %d POST requests, want some of each", server, chosen[i].name, restarts, n.gets, n.post))
			}
		}
	}
	p.Done()
	report.Table([]string{"proxy", "server", "restarts", "GET answered", "POST answered", "failed", "how"}, rows)
	return report.Err()
}

// try restarts servers of one kind in turn while clients send requests through each proxy.
func (c Config) try(ctx context.Context, server string, chosen []proxy) (counts []*count, restarts int, err error) {
	dir, err := os.MkdirTemp("", "bench-roll-")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	b, err := startBackends(ctx, server, c.LameDuck)
	if err != nil {
		return nil, 0, err
	}
	defer b.stop()
	limited, cancel := context.WithTimeout(ctx, c.Duration)
	defer cancel()
	load, endLoad := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer endLoad()
	var running []*harness.Process
	for _, x := range chosen {
		p, err := x.start(ctx, dir, b.addrs)
		if err != nil {
			return nil, 0, err
		}
		defer p.Stop() // before the clients end, if there is an error
		running = append(running, p)
		n := new(count)
		counts = append(counts, n)
		for range c.Clients {
			clients.Go(func() { n.run(load, p.Addr()) })
		}
	}
	restarts, err = b.roll(limited, c.Pause)
	endLoad()
	clients.Wait()
	for i, p := range running {
		counts[i].log = lastLines(p.Log())
	}
	return counts, restarts, err
}

// lastLines returns the last lines of a proxy's log, without those about refused connections, after
// which the proxy chooses the other server.
func lastLines(log string) string {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(log), "\n"), func(line string) bool {
		return strings.Contains(line, "Connection refused")
	})
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
