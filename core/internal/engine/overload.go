package engine

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/clock"
	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/observe"
)

// This file counts what the engine does for lack of room, and logs when that begins and ends.

// A reason says what the engine does for lack of room, and which limit was reached.
type reason int

const (
	refusedConns       reason = iota // MaxConns, with RefuseConns
	refusedDescriptors               // none is left, and no connection can be evicted
	refusedPerIP                     // MaxConnsPerIP
	refusedQueue                     // MaxQueue
	refusedQueueWait                 // QueueWait
	evictedConns                     // closed to make room: MaxConns
	evictedDescriptors               // closed to make room: no descriptor is left
	heldConns                        // accepting pauses: MaxConns
	heldRefusals                     // accepting pauses: maxRefusals
	numReasons
)

const (
	refusing = "refusing connections"
	closing  = "closing connections to make room"
	holding  = "holding connections back" // in the kernel's queue
)

// reasons has for each reason what the engine does, in the words of the log, and the limit's name.
var reasons = [numReasons]struct {
	does  string
	limit observe.Reason
}{
	refusedConns:       {refusing, observe.MaxConns},
	refusedDescriptors: {refusing, observe.Descriptors},
	refusedPerIP:       {refusing, observe.MaxConnsPerIP},
	refusedQueue:       {refusing, observe.MaxQueue},
	refusedQueueWait:   {refusing, observe.QueueWait},
	evictedConns:       {closing, observe.MaxConns},
	evictedDescriptors: {closing, observe.Descriptors},
	heldConns:          {holding, observe.MaxConns},
	heldRefusals:       {holding, "refusals in progress"},
}

// name returns the name of the limit.
func (r reason) name() observe.Reason { return reasons[r].limit }

// limit returns the value of the limit, or nil if it is unknown.
func (r reason) limit(c *Config) any {
	switch r {
	case refusedConns, evictedConns, heldConns:
		return c.Conns
	case refusedPerIP:
		return c.ConnsPerIP
	case refusedQueue:
		return c.Queue
	case refusedQueueWait:
		return c.QueueWait
	case heldRefusals:
		return maxRefusals
	case refusedDescriptors, evictedDescriptors:
		if c.Descriptors > 0 {
			return c.Descriptors
		}
		return nil
	}
	panic("BUG: unknown reason")
}

// refused records that c was refused.
func (e *Engine) refused(c *http1.Conn, why reason) {
	e.overload.note(why)
	c.Observe(observe.Refused, why.name())
}

// An episode ends when nothing has happened for quietTime. While it lasts, it is logged every
// stillTime.
const (
	quietTime = 5 * time.Second
	stillTime = time.Minute
)

// An overload has an episode for each reason. While there is room, nothing calls it.
type overload struct {
	config  *Config
	all     [numReasons]episode
	lasting atomic.Int64 // episodes
	over    atomic.Bool  // end was called
}

// An episode is a time in which something happens again and again for one reason. Its first event
// starts a timer, on whose goroutine it is logged: the logger is the application's, and may block,
// panic or end the goroutine. The timer is started again when the line has been written, so a
// logger that blocks holds up that goroutine and further lines with the same reason, and nothing
// else. Without an episode there is no timer.
type episode struct {
	count atomic.Int64 // events of all episodes
	last  atomic.Int64 // when the last event happened, by the clock
	lasts atomic.Bool  // the episode has not ended

	// Set before lasts is, and then used only by the timer.
	before int64 // count when the episode began
	first  int64 // when it began
	begun  bool  // the first line was due
	said   int64 // when the last line was due

	mu    sync.Mutex // guards the following
	timer *time.Timer
}

// note records an event. It does not block.
func (o *overload) note(r reason) {
	e := &o.all[r]
	now := clock.Now()
	e.last.Store(now)
	e.count.Add(1)
	if !e.lasts.Load() {
		o.begin(r, now)
	}
}

// count returns how many events have happened for any of these reasons.
func (o *overload) count(reasons ...reason) (n int64) {
	for _, r := range reasons {
		n += o.all[r].count.Load()
	}
	return n
}

// begin begins an episode unless there is one. Once the engine has ended, there are no more.
func (o *overload) begin(r reason, now int64) {
	e := &o.all[r]
	if o.config.Log == nil || o.over.Load() || !e.lasts.CompareAndSwap(false, true) {
		return
	}
	o.lasting.Add(1)
	e.first, e.begun = now, false
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer == nil {
		e.timer = time.AfterFunc(0, func() { o.check(r) })
	} else {
		e.timer.Reset(0)
	}
}

// check is called by the timer of an episode. It writes a line if one is due.
func (o *overload) check(r reason) {
	e := &o.all[r]
	count, last, now := e.count.Load(), e.last.Load(), clock.Now()
	begins := !e.begun
	ended := !begins && (o.over.Load() || now-last >= int64(quietTime))
	still := !begins && !ended && now-e.said >= int64(stillTime)
	if begins || still {
		e.begun, e.said = true, now
	}
	defer func() {
		recover() // a panic of the logger cannot be reported anywhere
		if ended {
			o.finish(r, count)
		} else {
			o.wait(e)
		}
	}()
	switch {
	case begins:
		o.log(r, "")
	case ended:
		o.log(r, "no longer ", "count", count-e.before, "duration", since(e.first, last))
	case still:
		o.log(r, "still ", "count", count-e.before, "duration", since(e.first, now))
	}
}

// since returns the time from begin to end, which concurrent events may have stored out of order.
func since(begin, end int64) time.Duration {
	return max(time.Duration(end-begin), 0).Round(time.Millisecond)
}

// wait starts the timer of an episode that goes on.
func (o *overload) wait(e *episode) {
	due := min(e.last.Load()+int64(quietTime), e.said+int64(stillTime)) - clock.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.over.Load() { // checked with mu held, so that it is true here or end finds the timer
		due = 0
	}
	e.timer.Reset(time.Duration(max(due, 0)))
}

// finish ends an episode with count events. If there are more by now, another one begins.
func (o *overload) finish(r reason, count int64) {
	e := &o.all[r]
	e.before = count
	e.lasts.Store(false)
	o.lasting.Add(-1)
	if e.count.Load() != count {
		o.begin(r, e.last.Load())
	}
}

// end ends all episodes, and waits a moment until that is logged.
func (o *overload) end() {
	o.over.Store(true)
	for r := range o.all {
		e := &o.all[r]
		e.mu.Lock()
		if e.timer != nil && e.timer.Stop() {
			e.timer.Reset(0)
		}
		e.mu.Unlock()
	}
	awaitZero(&o.lasting)
}

// log writes a line about an episode.
func (o *overload) log(r reason, prefix string, result ...any) {
	args := []any{"reason", string(r.name())}
	if limit := r.limit(o.config); limit != nil {
		args = append(args, "limit", limit)
	}
	o.config.Log(slog.LevelWarn, "recycling: "+prefix+reasons[r].does, append(args, result...)...)
}
