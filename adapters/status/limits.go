package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/core/observe"
)

// A limit is a limit of a server, and how near it is.
type limit struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`  // "ns" for durations, otherwise empty
	Limit int64  `json:"limit"` // -1 means none

	// Used is how much of it is in use now; it is nil if nobody measures that.
	Used *int64 `json:"used,omitempty"`

	// Hits is how often it was reached since the program began; it is nil if nobody counts that.
	Hits *int64 `json:"hits,omitempty"`

	What      string `json:"-"` // what Used is
	OfProcess bool   `json:"-"` // rather than of a server; Hits is nil then
}

// near is the share of a limit from which on it counts as near.
const near = 0.8

// Measured reports whether Share is known.
func (l limit) Measured() bool { return l.Used != nil && l.Limit > 0 }

// Share returns which part of the limit is in use, between 0 and 1. It returns zero if there is no
// limit, or nobody knows.
func (l limit) Share() float64 {
	if !l.Measured() {
		return 0
	}
	return min(max(float64(*l.Used)/float64(l.Limit), 0), 1)
}

// Near reports whether little of the limit is left.
func (l limit) Near() bool { return l.Share() >= near }

// limitsOf returns all limits of a server. There are none under Goroutine, and before it serves.
func limitsOf(s *serverReport, last *sample) []limit {
	set, stats := s.Stats.Limits, &s.Stats
	if set.MaxWorkers == 0 {
		return []limit{}
	}
	count := func(r observe.Reason) int64 { return int64(last.refused[r] + last.evicted[r]) }
	return []limit{
		{Name: "MaxWorkers", Limit: int64(set.MaxWorkers), Used: ref(int64(stats.Busy)), What: "busy workers"},
		{Name: "MaxWaiting", Limit: int64(set.MaxWaiting), Used: ref(int64(stats.Waiting)), What: "handlers that wait in package offload"},
		{Name: "MaxQueue", Limit: int64(set.MaxQueue), Used: ref(stats.Queued), Hits: ref(count(observe.MaxQueue)), What: "connections that wait for a worker"},
		{Name: "QueueWait", Unit: "ns", Limit: int64(set.QueueWait), Used: ref(int64(s.QueueDelay.P99)), Hits: ref(count(observe.QueueWait)), What: "p99 of the queueing delay"},
		{Name: "MaxConns", Limit: int64(set.MaxConns), Used: ref(stats.Open), Hits: ref(count(observe.MaxConns) + stats.Held), What: "open connections"},
		{Name: "MaxConnsPerIP", Limit: int64(set.MaxConnsPerIP), Hits: ref(stats.ShedPerIP), What: "connections from one address"},
		{Name: "MaxRequestsPerConn", Limit: int64(set.MaxRequestsPerConn), What: "requests on one connection"},
		{Name: "MaxConnAge", Unit: "ns", Limit: int64(set.MaxConnAge), What: "age of a connection"},
		{Name: "BodyTimeout", Unit: "ns", Limit: int64(set.BodyTimeout), What: "wait for a body"},
		{Name: "AnswerTimeout", Unit: "ns", Limit: int64(set.AnswerTimeout), What: "wait for a client to read"},
	}
}

func ref(n int64) *int64 { return &n }

// A refusal is why connections were refused or closed, and what to do about it.
type refusal struct {
	Reason observe.Reason `json:"reason"`
	recent

	Meaning string `json:"meaning"`
	Advice  string `json:"advice"`
}

type advice struct{ meaning, advice string }

// reasons are all reasons, in the order in which they are shown.
var reasons = []observe.Reason{observe.MaxQueue, observe.QueueWait, observe.MaxConns, observe.MaxConnsPerIP, observe.Descriptors}

const overload = "Look at the slowest routes and at the oldest requests in flight. If handlers wait for something, such as " +
	"a database, fix that or raise MaxWorkers. If they compute, add processors or machines, or send less traffic here."

var refusedAdvice = map[observe.Reason]advice{
	observe.MaxQueue:  {"All workers were busy, and MaxQueue connections were waiting already.", overload},
	observe.QueueWait: {"All workers were busy, and the connection had waited for longer than QueueWait.", overload},
	observe.MaxConns: {"MaxConns connections were open, and none was idle, so none could be closed to make room.",
		"Raise MaxConns, and the limit of descriptors if need be (ulimit -n, LimitNOFILE), or add machines. If requests are slow, look at those first."},
	observe.MaxConnsPerIP: {"One address had MaxConnsPerIP connections open.",
		"If that is a proxy or a load balancer, raise MaxConnsPerIP or remove it. Otherwise it is a client that misbehaves, and nothing need be done."},
	observe.Descriptors: {"The process had no descriptor left, and no connection could be closed to make room.",
		"Raise the limit of descriptors (ulimit -n, LimitNOFILE). If descriptors are many more than connections, the application does not close files or response bodies."},
}

var evictedAdvice = map[observe.Reason]advice{
	observe.MaxConns: {"MaxConns connections were open, so one that was idle or had sent no request was closed to make room.",
		"This harms nobody yet. Raise MaxConns, or shorten IdleTimeout."},
	observe.Descriptors: {"The process had no descriptor left, so a connection that was idle or had sent no request was closed to make room.",
		"Raise the limit of descriptors (ulimit -n, LimitNOFILE). If descriptors are many more than connections, the application does not close files or response bodies."},
}

// refusals returns a refusal for each reason that has advice.
func (s *serverReport) refusals(last, first map[observe.Reason]uint64, by map[observe.Reason]advice) (list []refusal) {
	for _, r := range reasons {
		if a, ok := by[r]; ok {
			list = append(list, refusal{r, s.recent(last[r], first[r]), a.meaning, a.advice})
		}
	}
	return list
}

// judge sets Level and Summary. The limits of the process count too.
func (s *serverReport) judge(process []limit) {
	stats := &s.Stats
	refusing, closing := s.hitNow(s.Refused), s.hitNow(s.Evicted)
	var nearOnes []string
	for _, l := range slices.Concat(s.Limits, process) {
		if l.Near() && !(l.Name == "QueueWait" && s.longAgo()) {
			nearOnes = append(nearOnes, l.Name)
		}
	}
	workers := stats.Limits.MaxWorkers
	s.Level = warning
	switch {
	case s.State == starting:
		s.Level, s.Summary = fine, "It does not serve yet."
	case s.State == draining && stats.Open == 0:
		s.Summary = "It has been told to stop. No connection is open."
	case s.State == draining:
		s.Summary = fmt.Sprintf("It has been told to stop. %s open.", are(stats.Open, "connection"))
	case refusing != "":
		s.Level, s.Summary = bad, "It refuses connections: "+refusing+"."
	case workers > 0 && stats.Busy >= workers:
		s.Level, s.Summary = bad, "All workers are busy."
		if stats.Queued > 0 {
			s.Summary = "All workers are busy, and connections wait."
		}
	case closing != "":
		s.Summary = "It closes idle connections to make room: " + closing + "."
	case len(nearOnes) > 0:
		s.Summary = "It is near a limit: " + strings.Join(nearOnes, ", ") + "."
	case s.Unobserved:
		s.Summary = "Its requests are not recorded: an option after that of the status page has replaced the Observer."
	case len(s.Limits) == 0:
		s.Level, s.Summary = fine, "It serves. Strategy goroutine is net/http, which has neither workers nor limits."
	default:
		s.Level, s.Summary = fine, "It serves, and no limit is near."
	}
}

// hitNow returns the reasons in list that have occurred recently, provided that recently is not
// since the program began.
func (s *serverReport) hitNow(list []refusal) string {
	var names []string
	for _, r := range list {
		if r.Recent > 0 && !s.longAgo() {
			names = append(names, string(r.Reason))
		}
	}
	return strings.Join(names, ", ")
}

// longAgo reports whether what is said to be recent may have happened long ago, because it is what
// has happened since the program began.
func (s *serverReport) longAgo() bool { return s.SinceStart && s.Window > window }

func are(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return number(n) + " " + noun + "s are"
}

// WindowText says what recent means.
func (p period) WindowText() string {
	if p.SinceStart {
		return "since the program began, " + duration(p.Window) + " ago"
	}
	return fmt.Sprintf("over the last %.0f s", max(p.Window.Seconds(), 1))
}
