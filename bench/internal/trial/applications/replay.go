package applications

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A Replay is the result of a replay.
type Replay struct {
	Requests    int          // compared responses
	Differences []Difference // between the plain and the recycled program
	Control     []Difference // between the plain program and itself: the list lacks a mask
}

// A recording is what one program has answered to a replay.
type recording struct {
	values  values // the process's, without what the replay has saved
	entries []entry
}

type entry struct {
	request string // its method and path as in the list, and how it was sent
	answer  answer
}

// replay compares the programs.
func (s *subject) replay(ctx context.Context) (*Replay, error) {
	var all [3]recording
	for i, k := range []kind{plain, recycled, plain} {
		s.say("replay %v", k)
		r, err := s.record(ctx, k, fmt.Sprintf("run%d", i))
		if err != nil {
			return nil, err
		}
		all[i] = r
	}
	m := newMasks(s.Masks)
	return &Replay{
		Requests:    len(all[plain].entries),
		Differences: m.compareAll(all[0], all[1]),
		Control:     m.compareAll(all[0], all[2]),
	}, nil
}

// compareAll compares two recordings of the same replay.
func (m masks) compareAll(a, b recording) (all []Difference) {
	for i := range min(len(a.entries), len(b.entries)) {
		one, two := a.entries[i], b.entries[i]
		all = append(all, m.compare(one.request, one.answer, two.answer, a.values, b.values)...)
	}
	return all
}

// record starts a program, and records its answers: to all requests over one connection as far as
// the program keeps it, then to each GET over a connection of its own that is to be closed, and
// over HTTP/2 if the program has TLS.
func (s *subject) record(ctx context.Context, k kind, name string) (recording, error) {
	p, err := s.start(ctx, k, name)
	if err != nil {
		return recording{}, err
	}
	defer p.stop()
	rec := recording{values: p.values}
	saved := maps.Clone(p.values)
	kept := client{addr: p.addr(), tls: s.TLS}
	defer kept.close()
	for _, r := range s.Requests {
		a := p.answer(ctx, &kept, r, saved)
		rec.entries = append(rec.entries, entry{r.method() + " " + r.Path, a})
		if err := ctx.Err(); err != nil {
			return recording{}, err
		}
		saved.save(r, a)
	}
	for _, r := range s.Requests {
		if r.method() != "GET" || r.webSocket() {
			continue
		}
		name := "GET " + r.Path
		r = r.expand(saved)
		r.Header = append(r.Header, "Connection: close")
		once := client{addr: p.addr(), tls: s.TLS}
		rec.entries = append(rec.entries, entry{name + ", close", once.do(r)})
		once.close()
		if s.TLS {
			r.Header = r.Header[:len(r.Header)-1]
			rec.entries = append(rec.entries, entry{name + ", HTTP/2", p.doHTTP2(ctx, r)})
		}
	}
	return rec, nil
}

// answer expands and sends a request.
func (p *process) answer(ctx context.Context, c *client, r Request, v values) answer {
	r = r.expand(v)
	if r.webSocket() {
		return p.doWebSocket(ctx, r)
	}
	return c.do(r)
}

// expand returns the request with its variables replaced.
func (r Request) expand(v values) Request {
	r.Path, r.Body = v.expand(r.Path), v.expand(r.Body)
	r.Header, r.Send = v.expandAll(r.Header), v.expandAll(r.Send)
	r.During = slices.Clone(r.During)
	for i := range r.During {
		r.During[i] = r.During[i].expand(v)
	}
	return r
}

// save adds to the variables what r wants to save. If the answer does not have it, later requests
// keep the variable as it is written, and their answers show that.
func (v values) save(r Request, a answer) {
	for name, match := range r.Save {
		if found := regexp.MustCompile(match).FindStringSubmatch(a.Header + a.Body); found != nil {
			v[name] = found[1]
		}
	}
}

// doHTTP2 sends a request over HTTP/2. The header of the answer is sorted.
func (p *process) doHTTP2(ctx context.Context, r Request) (a answer) {
	transport := &http.Transport{TLSClientConfig: insecure(), ForceAttemptHTTP2: true, DisableCompression: true}
	defer transport.CloseIdleConnections()
	err := func() error {
		ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, r.method(), "https://"+p.addr()+r.Path, strings.NewReader(r.Body))
		if err != nil {
			return err
		}
		req.Header = r.header()
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		a.Header = headerOf(resp)
		return a.readBody(resp)
	}()
	if err != nil {
		a.Err = err.Error()
	}
	return a
}
