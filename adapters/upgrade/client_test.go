//go:build unix

package upgrade_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A client sends requests one after another, and never repeats one: each must be answered.
type client struct {
	network, addr string // the network "tls" is TCP with TLS, and "proxy" TCP with the PROXY protocol
	method        string
	once          bool // a connection for each request

	from func(dial func() (net.Conn, error)) (net.Conn, error) // calls dial elsewhere; nil: here

	conn net.Conn
	r    *bufio.Reader
	n    int
	pids map[int]bool // processes that have answered
}

func (c *client) String() string { return fmt.Sprintf("%s %s once=%t", c.network, c.method, c.once) }

func (c *client) dial() error {
	if c.conn != nil {
		return nil
	}
	network := strings.NewReplacer("tls", "tcp", "proxy", "tcp").Replace(c.network)
	dial := func() (net.Conn, error) { return net.DialTimeout(network, c.addr, 20*time.Second) }
	if c.from != nil {
		there := dial
		dial = func() (net.Conn, error) { return c.from(there) }
	}
	nc, err := dial()
	if err != nil {
		return err
	}
	if c.network == "proxy" {
		if _, err := fmt.Fprintf(nc, "PROXY TCP4 %s 198.51.100.1 4321 80\r\n", proxiedIP); err != nil {
			nc.Close()
			return err
		}
	}
	if c.network == "tls" {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	c.conn, c.r = nc, bufio.NewReader(nc)
	return nil
}

// proxiedIP is the address of clients with the network "proxy".
const proxiedIP = "192.0.2.7"

func (c *client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// ask sends a request and checks its response.
func (c *client) ask() error {
	if err := c.dial(); err != nil {
		return err
	}
	c.n++
	body, option := "", ""
	if c.method == "POST" {
		body = strconv.Itoa(c.n)
	}
	if c.once {
		option = "Connection: close\r\n"
	}
	c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, err := fmt.Fprintf(c.conn, "%s / HTTP/1.1\r\nHost: test\r\n%sContent-Length: %d\r\n\r\n%s", c.method, option, len(body), body)
	if err != nil {
		return fmt.Errorf("request %d: %w", c.n, err)
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return fmt.Errorf("response %d: %w", c.n, err)
	}
	got, err := io.ReadAll(resp.Body)
	if want := c.method + " " + body; err != nil || string(got) != want {
		return fmt.Errorf("response %d is %q, %v; want %q", c.n, got, err, want)
	}
	if peer := resp.Header.Get("Peer"); c.network == "proxy" && peer != proxiedIP+":4321" {
		return fmt.Errorf("response %d was for %s, want %s:4321", c.n, peer, proxiedIP)
	}
	pid, _ := strconv.Atoi(resp.Header.Get("Pid"))
	if c.pids == nil {
		c.pids = make(map[int]bool)
	}
	c.pids[pid] = true
	if resp.Close || c.once {
		c.drop()
	}
	return nil
}

// A load is a number of clients that send requests at the same time.
type load struct {
	clients []*client
	over    atomic.Bool
	wg      sync.WaitGroup
	mu      sync.Mutex
	err     error // the first
}

// startLoad lets clients send requests until stop is called.
func startLoad(clients ...*client) *load {
	l := &load{clients: clients}
	for _, c := range clients {
		l.wg.Add(1)
		go l.run(c)
	}
	return l
}

func (l *load) run(c *client) {
	defer l.wg.Done()
	defer c.drop()
	for !l.over.Load() {
		if err := c.ask(); err != nil {
			l.mu.Lock()
			l.err = errors.Join(l.err, fmt.Errorf("%v: %w", c, err))
			l.mu.Unlock()
			return
		}
		time.Sleep(time.Millisecond) // think time, which keeps the machine usable
	}
}

func (l *load) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// stop ends the load. Every request must have been answered, and every client must have been served
// by at least the given number of processes.
func (l *load) stop(t testing.TB, processes int) {
	t.Helper()
	l.over.Store(true)
	l.wg.Wait()
	if err := l.failed(); err != nil {
		t.Error(err)
	}
	total := 0
	for _, c := range l.clients {
		total += c.n
		if len(c.pids) < processes && l.err == nil {
			t.Errorf("%v was served by %d processes, want %d", c, len(c.pids), processes)
		}
	}
	t.Logf("%d requests, all answered", total)
}

// askOnce sends one request on a new connection, and returns the process that answered.
func askOnce(t testing.TB, network, addr string) int {
	t.Helper()
	c := &client{network: network, addr: addr, method: "GET", once: true}
	if err := c.ask(); err != nil {
		t.Fatal(err)
	}
	for pid := range c.pids {
		return pid
	}
	return 0
}
