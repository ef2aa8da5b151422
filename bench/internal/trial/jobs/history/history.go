// Package history holds what a trial of tasks has seen: what clients have sent and got, what
// workers have run, and which faults there were. [History.Check] says what of it is wrong.
//
// Times are those of one machine's clock.
package history

import (
	"slices"
	"time"
)

// A History is everything that a trial has seen.
type History struct {
	Enqueued   []Enqueued
	Seen       []Seen
	Calls      []Call
	Executions []Execution
	Effects    map[string]int // how often the effect of each key took place
	Faults     []Fault
	End        time.Time // when the trial stopped looking
}

// An Enqueued is one attempt of a client to enqueue a task.
type Enqueued struct {
	Token string // of this attempt, or, if there is a key, of all attempts with this key
	Key   string // empty if the task has none
	Sum   string // of the padding that was sent
	At    time.Time

	// Status is the status of the response, and zero if there was none: then the task may have been
	// accepted or not.
	Status int
	ID     string // if Status is 202
	Took   time.Duration
	Error  string // why there was no response
}

// Accepted reports whether the client was promised that the task will be done.
func (e Enqueued) Accepted() bool { return e.Status == 202 }

// A Seen is what a client was told of an enqueued task, when it asked for its state for the last
// time or when the task had ended.
type Seen struct {
	ID     string
	At     time.Time // when the response arrived
	State  string    // "done", "failed", …
	Result Result    // if State is "done"
}

// Done is the state of a task whose result is known.
const Done = "done"

// A Result is the output of a task.
type Result struct {
	Token     string // of the input
	Execution string // which one made the result
	Sum       string // of the input's padding
}

// A Call is a call of a task over HTTP.
type Call struct {
	Token      string
	Idempotent bool
	Sum        string        // of the padding that was sent
	At         time.Time     // when it was sent
	Limit      time.Duration // how long it may take
	Took       time.Duration // until the response
	Served     time.Duration // in the server, if it has said so
	Status     int           // of the response; zero if there was none
	Error      string        // why there was none, or the body of a response that is not 200
	Result     Result        // if Status is 200
}

// An Execution is one run of a task, as the worker has noted it.
type Execution struct {
	ID     string // unique
	Token  string
	Key    string
	Worker string // the process, such as "host1/worker0#3"
	Begin  time.Time
	End    time.Time // zero if the worker did not come to its end
}

// A Fault is something that the trial has done.
type Fault struct {
	Kind   Kind
	Target string // a process such as "host1/worker0#3", or a host such as "host1"
	From   time.Time
	To     time.Time // when what was broken was started or healed
}

// A Kind is a kind of fault.
type Kind string

// The kinds of faults, the most specific ones first.
const (
	KillWorker  Kind = "worker killed"
	PauseWorker Kind = "worker paused"
	Cut         Kind = "host cut off"
	KillNATS    Kind = "NATS killed"
	FullDisk    Kind = "disk full"
	KillServer  Kind = "HTTP server killed"
	Replace     Kind = "worker replaced" // with SIGTERM; excuses nothing
)

// excuses are the faults for which a task may be run again, in the order in which they are looked
// for.
var excuses = []Kind{KillWorker, PauseWorker, Cut, KillNATS, FullDisk}

// tail is how long a fault may have an effect after it has been healed: NATS has to elect leaders,
// and a message is delivered again only when its AckWait has passed.
const tail = 60 * time.Second

// sorted returns the executions in the order in which they began.
func sorted(all []Execution) []Execution {
	return slices.SortedFunc(slices.Values(all), func(a, b Execution) int { return a.Begin.Compare(b.Begin) })
}

// excuse returns the kind of the fault because of which a task that was executed as first could be
// executed again as next. It is empty if there is none.
func (h *History) excuse(first, next Execution) Kind {
	for _, kind := range excuses {
		for _, f := range h.Faults {
			if f.Kind == kind && f.hits(first) && f.From.Before(next.Begin) && first.Begin.Before(f.To.Add(f.tail())) {
				return kind
			}
		}
	}
	return ""
}

// unanswered reports whether a request from begin to end could remain without a response: an HTTP
// server was killed, or did not run.
func (h *History) unanswered(begin, end time.Time) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return f.Kind == KillServer && f.From.Before(end.Add(slack)) && begin.Before(f.To.Add(slack))
	})
}

// hits reports whether the fault is one of the worker that has run x, of its host, or of NATS.
func (f Fault) hits(x Execution) bool {
	switch f.Kind {
	case KillWorker, PauseWorker:
		return f.Target == x.Worker
	case Cut:
		return len(x.Worker) > len(f.Target) && x.Worker[:len(f.Target)+1] == f.Target+"/"
	}
	return true
}

func (f Fault) tail() time.Duration {
	if f.Kind == KillWorker {
		return 0 // nothing of the worker is left
	}
	return tail
}
