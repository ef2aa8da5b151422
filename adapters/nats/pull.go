package recyclingnats

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/recycling-go/recycling/core/offload"
)

const (
	pullExpires = 4 * time.Second      // the longest that a request waits: see Config.expires
	pullSlack   = time.Second          // a request that gets no answer is forgotten so long after that
	callAckWait = time.Second          // after which a call that no worker has confirmed is delivered again
	atOnce      = 5 * time.Millisecond // a message that comes this soon has been waiting
	fairness    = 8                    // of so many turns, enqueued tasks come first in one
	drainWithin = 2 * time.Second
)

// A source is one of the two streams that a group's tasks come from.
type source uint8

const (
	calls source = iota
	jobs
	numSources = iota
)

// The lines of a source.
const (
	waiting = iota
	probing
)

// A group is the tasks that share workers. It is guarded by the mutex of its Worker.
//
// A worker that is free asks both streams for a message, and waits: it has a pull request at each.
// If both deliver, or if tasks of another group have taken the slots meanwhile, it gives a message
// back at once. While there is a backlog that would happen again and again, so a worker that has
// got its last task without waiting asks one stream after the other, with requests that do not
// wait, and holds its place and its slots meanwhile.
type group struct {
	name         string
	tasks        []string
	need         offload.Slots // the most that one of the tasks needs
	workers      int
	running      int // tasks, and requests that do not wait
	tasksRunning int
	waiting      [numSources]int // requests that wait
	turn         uint
	lines        [numSources][2]*line // by waiting and probing; set before the first request
	subjects     [numSources]string   // what those of messages begin with; set with them
}

// A line is the requests of one kind of a group, with their subscription. JetStream delivers a
// message under its own subject, so only the subscription tells what it answers: the oldest request
// of the line.
type line struct {
	w     *Worker
	g     *group
	from  source
	probe bool // requests do not wait, and have a place and slots
	inbox string
	sub   *nats.Subscription

	pulls []*pull // oldest first; guarded by the mutex of the Worker
}

// A pull is a request for one message.
type pull struct {
	*line
	last   bool // the other source has nothing
	token  string
	placed time.Time
}

// subscribe creates the lines of g.
func (w *Worker) subscribe(g *group) error {
	c := &w.client.c
	g.subjects = [numSources]string{calls: c.calls() + "." + g.name + ".", jobs: c.jobs() + "." + g.name + "."}
	for s := range source(numSources) {
		for i := range g.lines[s] {
			l := &line{w: w, g: g, from: s, probe: i == probing, inbox: w.client.nc.NewInbox() + "."}
			var err error
			if l.sub, err = w.client.nc.Subscribe(l.inbox+"*", l.receive); err != nil {
				return err
			}
			if err := l.sub.SetPendingLimits(pendingMessages, pendingBytes); err != nil {
				return err
			}
			g.lines[s][i] = l
		}
	}
	return nil
}

// takePull removes the pull with a token, or the oldest if token is empty.
func (l *line) takePull(token string) *pull {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	for i, p := range l.pulls {
		if token == "" || p.token == token {
			l.pulls = slices.Delete(l.pulls, i, i+1)
			return p
		}
	}
	return nil
}

// fit is how often need fits into free; a large number if nothing is needed.
func fit(free, need offload.Slots) int {
	n := int64(maxWorkers)
	for name, k := range need {
		if k > 0 {
			n = min(n, free[name]/k)
		}
	}
	return int(max(n, 0))
}

// takeLocked takes a place and slots for a task of g.
func (w *Worker) takeLocked(g *group) bool {
	if w.phase != serving || g.running >= g.workers || fit(w.free, g.need) == 0 {
		return false
	}
	g.running++
	for name, k := range g.need {
		w.free[name] -= k
	}
	return true
}

func (w *Worker) giveLocked(g *group) {
	g.running--
	for name, k := range g.need {
		w.free[name] += k
	}
}

// arm places as many waiting requests as there is room for.
func (w *Worker) arm() {
	connected := w.client.nc.IsConnected() // it blocks while the connection does
	w.mu.Lock()
	var list []*pull
	if w.phase == serving && connected {
		for _, g := range w.groups {
			room := min(g.workers-g.running, fit(w.free, g.need))
			for s := range g.waiting {
				for ; g.waiting[s] < room; g.waiting[s]++ {
					list = append(list, &pull{line: g.lines[s][waiting]})
				}
			}
		}
	}
	w.mu.Unlock()
	for _, p := range list {
		p.place()
	}
}

// next is called when a task of g has ended, and asks for another one.
func (w *Worker) next(g *group, waited bool) {
	w.mu.Lock()
	w.giveLocked(g)
	g.tasksRunning--
	var p *pull
	if !waited && w.takeLocked(g) {
		g.turn++
		p = &pull{line: g.lines[calls][probing]}
		if g.turn%fairness == 0 {
			p.line = g.lines[jobs][probing]
		}
	}
	w.mu.Unlock()
	if p != nil {
		p.place()
	}
	w.arm()
}

// place sends the request. This is the pull request of NATS' ADR-37. The Fetch of package jetstream
// subscribes anew for each request, and loses what arrives when it is canceled.
func (p *pull) place() {
	c := p.w.client
	stream, body := c.c.callStream(), []byte(`{"batch":1,"no_wait":true}`)
	if p.from == jobs {
		stream = c.c.jobStream()
	}
	if !p.probe {
		body = fmt.Appendf(nil, `{"batch":1,"expires":%d}`, c.c.expires(p.from))
	}
	p.placed = time.Now()
	p.token = nuid.Next()
	p.w.mu.Lock()
	p.pulls = append(p.pulls, p)
	p.w.mu.Unlock()
	// If it cannot be sent, forget removes it.
	_ = c.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+stream+"."+p.g.name, p.inbox+p.token, body)
}

// receive gets an answer.
func (l *line) receive(m *nats.Msg) {
	token, answer := strings.CutPrefix(m.Subject, l.inbox)
	if !answer { // a message of the stream has its own subject
		if p := l.takePull(""); p != nil {
			p.got(m)
		} else if l.from == calls {
			nakStray(m)
		} // an enqueued task stays, for the reason in got
		return
	}
	status := m.Header.Get("Status")
	if status == "" || status == "100" {
		return
	}
	p := l.takePull(token)
	if p == nil {
		return
	}
	switch status {
	case "404", "408":
		p.empty(false)
	default: // no consumer, no leader, too many requests
		p.empty(true)
	}
}

// got starts the task of a message.
func (p *pull) got(m *nats.Msg) {
	w := p.w
	w.mu.Lock()
	ok := p.probe && w.phase == serving
	if !p.probe {
		p.g.waiting[p.from]--
		ok = w.takeLocked(p.g)
	} else if !ok {
		w.giveLocked(p.g)
	}
	if ok {
		p.g.tasksRunning++
		w.count.Add(1)
	}
	w.mu.Unlock()
	if !ok {
		// If this worker was paused, another one may run the enqueued task by now, and a NAK would
		// give it to a third.
		if p.from == calls || !w.client.c.late(p.placed) {
			nakStray(m)
		}
		return
	}
	waited := !p.probe && time.Since(p.placed) > atOnce
	if p.from == calls {
		go w.runCall(p.g, m, waited)
	} else {
		go w.runJob(p.g, m, p.placed, waited)
	}
}

// late reports whether another worker may have got the message of a request that was placed at this
// time, because this worker was paused or could not reach NATS. When the message was read says
// nothing: it may have waited in a buffer of this machine. But NATS delivered it after the request.
func (c *Config) late(placed time.Time) bool { return time.Since(placed) > c.AckWait/2 }

// expires is how long a request for a message waits. A request for an enqueued task waits so short
// a time that its message is not late when it comes.
func (c *Config) expires(s source) time.Duration {
	if s == calls {
		return pullExpires
	}
	return min(pullExpires, c.AckWait/4)
}

// empty notes that there is no message.
func (p *pull) empty(trouble bool) {
	w := p.w
	w.mu.Lock()
	w.trouble = w.trouble || trouble
	if !p.probe {
		p.g.waiting[p.from]--
		w.mu.Unlock()
		if !trouble && time.Since(p.placed) > w.client.c.expires(p.from)/2 {
			w.arm() // otherwise at the next tick, so that this cannot become a fast loop
		}
		return
	}
	if !p.last && !trouble && w.phase == serving {
		w.mu.Unlock()
		(&pull{line: p.g.lines[1-p.from][probing], last: true}).place()
		return
	}
	w.giveLocked(p.g)
	w.mu.Unlock()
	if !trouble {
		w.arm()
	}
}

// forget removes requests that have got no answer in time, or none since the connection was lost.
func (w *Worker) forget(now time.Time) {
	n := w.client.nc.Stats().Reconnects
	w.mu.Lock()
	all := n != w.reconnects
	w.reconnects = n
	w.mu.Unlock()
	for _, l := range w.lines() {
		limit := w.client.c.expires(l.from) + pullSlack
		if l.probe {
			limit = pullSlack
		}
		for {
			w.mu.Lock()
			late := len(l.pulls) > 0 && (all || now.Sub(l.pulls[0].placed) > limit)
			w.mu.Unlock()
			if !late {
				break
			}
			if p := l.takePull(""); p != nil {
				p.empty(true)
			}
		}
	}
}

func (w *Worker) lines() []*line {
	var list []*line
	for _, g := range w.groups {
		for _, pair := range g.lines {
			for _, l := range pair {
				if l != nil {
					list = append(list, l)
				}
			}
		}
	}
	return list
}

// drainPulls ends all requests, and gives back what has come already.
func (w *Worker) drainPulls() {
	lines := w.lines()
	done := make(chan struct{}, len(lines))
	n := 0
	for _, l := range lines {
		l.sub.SetClosedHandler(func(string) { done <- struct{}{} })
		if l.sub.Drain() == nil {
			n++
		} // else not connected: what has come is delivered to another worker after AckWait
	}
	t := time.NewTimer(drainWithin)
	defer t.Stop()
	for range n {
		select {
		case <-done:
		case <-t.C:
			return
		}
	}
}

// nakStray gives a message back.
func nakStray(m *nats.Msg) { _ = m.Respond([]byte("-NAK")) }

// nakAfter gives a message back, to be delivered again after d.
func nakAfter(m *nats.Msg, d time.Duration) {
	_ = m.Respond(fmt.Appendf(nil, "-NAK {\"delay\": %d}", d))
}
