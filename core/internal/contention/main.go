//go:build !recycling_count

// Command contention counts, for keep-alive requests, how often a request locks a mutex, and how
// often it writes an atomic variable, that other requests use too:
//
//	go run ./core/internal/contention              # the table in the comment of package engine
//	go run ./core/internal/contention -procs 16 -conns 100 -v
//
// It starts a recycling.Server in a process of its own, with GOMAXPROCS from 1 to 16, and sends it
// requests on 8, 100 and 1,000 connections. Processor time is not measured, so the machine may be
// busy, and may have fewer processors.
//
// The server is built with a sync.Mutex and with types of sync/atomic that count: Lock and
// successful TryLock; Store, Swap, CompareAndSwap (also one that fails), Add, And and Or. (See
// overlay.go. Not counted are the functions of sync/atomic, which package internal/poll uses for
// each descriptor, the locks of the runtime, and memory that a mutex guards.) Afterwards the server
// looks for the counted addresses in the data structures that can be reached from the
// recycling.Server, which gives them names, and puts each into one of three classes:
//
//   - all: requests of all shards use it;
//   - shard: requests of one shard use it;
//   - own: it belongs to a connection, a request or a worker.
//
// With -v the names are printed too.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	procs    = flag.String("procs", "1,2,4,8,16", "values of GOMAXPROCS")
	conns    = flag.String("conns", "8,100,1000", "numbers of connections")
	requests = flag.Int("requests", 20_000, "`number` of requests that are counted")
	verbose  = flag.Bool("v", false, "print the names of what is locked and written")
)

func main() {
	flag.Parse()
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "contention:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	ps, err := numbers("-procs", *procs)
	if err != nil {
		return err
	}
	cs, err := numbers("-conns", *conns)
	if err != nil {
		return err
	}
	if *requests < 1 {
		return fmt.Errorf("-requests is %d, want a positive number", *requests)
	}
	dir, err := os.MkdirTemp("", "contention")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := build(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "GOMAXPROCS  shards  connections  locks: all   shard     own  writes: all   shard     own")
	for _, p := range ps {
		for _, c := range cs {
			r, err := count(server, p, c, *requests)
			if err != nil {
				return fmt.Errorf("GOMAXPROCS=%d, %d connections: %w", p, c, err)
			}
			l, w := r.perRequest("lock"), r.perRequest("write")
			fmt.Fprintf(out, "%10d  %6d  %11d  %10.2f  %6.2f  %6.2f  %11.2f  %6.2f  %6.2f\n", p, r.Shards, c, l["all"], l["shard"], l["own"], w["all"], w["shard"], w["own"])
			if *verbose {
				r.print(out)
			}
		}
	}
	return nil
}

// numbers returns the positive numbers in s, which are separated by commas.
func numbers(name, s string) (all []int, err error) {
	for _, f := range strings.Split(s, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s is %q, want positive numbers separated by commas", name, s)
		}
		all = append(all, n)
	}
	return all, nil
}

// build builds the counting server in dir.
func build(dir string) (string, error) {
	overlay, err := writeOverlay(dir)
	if err != nil {
		return "", err
	}
	server := filepath.Join(dir, "server")
	cmd := exec.Command("go", "build", "-overlay", overlay, "-tags", "recycling_count", "-o", server, "github.com/recycling-go/recycling/core/internal/contention")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building the server: %w", err)
	}
	return server, nil
}

// A result is what the server has counted.
type result struct {
	Shards   int
	Requests int64 // by Stats
	Lost     int   // what did not fit into its table
	Rows     []row
}

// A row is about all memory with the same name.
type row struct {
	Kind  string // lock, write
	Class string // all, shard, own
	Name  string // a path of fields; empty: not found
	Words int    // how many there are
	Count int64
}

// perRequest returns the counts of a kind by class.
func (r *result) perRequest(kind string) map[string]float64 {
	sums := map[string]float64{}
	for _, x := range r.Rows {
		if x.Kind == kind {
			sums[x.Class] += float64(x.Count) / float64(r.Requests)
		}
	}
	return sums
}

func (r *result) print(out io.Writer) {
	for _, x := range r.Rows {
		if n := float64(x.Count) / float64(r.Requests); n >= 0.001 {
			fmt.Fprintf(out, "    %-5s %-5s %7.3f in %6d words  %s\n", x.Class, x.Kind, n, x.Words, x.Name)
		}
	}
}

// count runs the server, and has it count n requests on conns connections.
func count(server string, procs, conns, n int) (*result, error) {
	cmd := exec.Command(server)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs), "RECYCLING_STRATEGY=recycling")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		in.Close() // it ends
		cmd.Wait()
	}()
	out := bufio.NewReader(pipe)
	addr, err := out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	clients, err := dial(strings.TrimSpace(addr), conns)
	defer func() {
		for _, c := range clients {
			c.nc.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := send(clients, max(10*conns, n/4)); err != nil { // until it has all that it needs
		return nil, err
	}
	tell := func(word string) (string, error) {
		if _, err := fmt.Fprintln(in, word); err != nil {
			return "", err
		}
		return out.ReadString('\n')
	}
	if _, err := tell("begin"); err != nil {
		return nil, err
	}
	if err := send(clients, n); err != nil {
		return nil, err
	}
	line, err := tell("end")
	if err != nil {
		return nil, err
	}
	r := new(result)
	if err := json.Unmarshal([]byte(line), r); err != nil {
		return nil, err
	}
	switch {
	case r.Lost > 0:
		return nil, fmt.Errorf("%d addresses did not fit into the table", r.Lost)
	case r.Requests < int64(n):
		return nil, fmt.Errorf("the server has counted %d requests, want %d", r.Requests, n)
	}
	slices.SortFunc(r.Rows, func(a, b row) int {
		if c := strings.Compare(a.Class, b.Class); c != 0 {
			return c
		}
		return int(b.Count - a.Count)
	})
	return r, nil
}

// A client is one connection.
type client struct {
	nc net.Conn
	r  *bufio.Reader
}

func dial(addr string, n int) (all []client, err error) {
	for range n {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return all, err
		}
		nc.SetDeadline(time.Now().Add(2 * time.Minute))
		all = append(all, client{nc, bufio.NewReader(nc)})
	}
	return all, nil
}

// send sends n requests, as many on each connection, and the next one after each response.
func send(all []client, n int) error {
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for i, c := range all {
		wg.Go(func() {
			for range (n + len(all) - 1) / len(all) {
				if errs[i] = c.get(); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c client) get() error {
	if _, err := io.WriteString(c.nc, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
