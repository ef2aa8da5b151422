package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// endedBy returns ctx's error if ctx has ended, because that caused all other errors. Otherwise it
// returns err.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// A process is a server process. It must be stopped.
type process struct {
	*harness.Process
	addr   string
	client *http.Client // for requests about the server's state
}

// start starts a server process, which is stopped when ctx ends.
func (s setup) start(ctx context.Context) (*process, error) {
	p, err := harness.Start(ctx, harness.Command{Args: s.args(), Stderr: os.Stderr})
	if err != nil {
		return nil, fmt.Errorf("soak: the server did not start: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	return &process{Process: p, addr: p.Addr(), client: client}, nil
}

var errRefused = errors.New("soak: the server refuses to say how it is")

// ask returns the server's state. path is "/stats", or "/collect" to collect garbage first.
func (p *process) ask(ctx context.Context, path string) (st state, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+p.addr+path, nil)
	if err != nil {
		return st, err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return st, fmt.Errorf("soak: the server does not say how it is: %w", err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		return st, errRefused
	default:
		return st, fmt.Errorf("soak: the server does not say how it is: %s", res.Status)
	}
	return st, json.NewDecoder(res.Body).Decode(&st)
}

// settled waits, at most for patience, until ok returns true for the server's state, and returns
// the last state in any case. A server that is overloaded refuses requests for its state.
func (p *process) settled(ctx context.Context, patience time.Duration, ok func(state) bool) (state, error) {
	for end := time.Now().Add(patience); ; {
		st, err := p.ask(ctx, "/collect")
		over := time.Now().After(end)
		if over || err == nil && ok(st) || err != nil && !errors.Is(err, errRefused) {
			return st, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return st, ctx.Err()
		}
	}
}

// quiet reports whether nothing is in progress except the request for the state.
func (s state) quiet() bool { return s.Open == 1 && s.Inside == 0 && s.even() }

// even reports whether all accepted connections are accounted for.
func (s state) even() bool { return s.Accepted == s.Closed+s.Hijacked+s.Open }

// dial connects to the server. Where there are many loopback addresses, n selects the client's
// address.
func (p *process) dial(ctx context.Context, n int) (*net.TCPConn, error) {
	return p.dialWith(ctx, net.Dialer{}, n)
}

func (p *process) dialWith(ctx context.Context, d net.Dialer, n int) (*net.TCPConn, error) {
	d.Timeout, d.KeepAlive = 20*time.Second, -1
	if spread {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%200))}
	}
	nc, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	return nc.(*net.TCPConn), nil
}
