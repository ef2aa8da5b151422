package recyclingtest

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait of the suite. A correct server never takes that long, however busy the
// machine is.
const patience = 30 * time.Second

// impatience is the bound once a behaviour has failed, so that a server with many faults does not
// take hours, and for attempts other than the last one.
const impatience = 3 * time.Second

// A behaviour is a claim about a server. The name of the function is the claim.
type behaviour func(t *test)

// tables are all behaviours by subject.
var tables = []struct {
	subject    string
	behaviours []behaviour
}{
	{"keepalive", keepAlive},
	{"pipelining", pipelining},
	{"request", requests},
	{"form", forms},
	{"body", bodies},
	{"bodyuse", bodyUses},
	{"chunked", chunkedBodies},
	{"expect", expectations},
	{"response", responses},
	{"write", writes},
	{"flush", flushes},
	{"framing", framings},
	{"sniffing", sniffing},
	{"headers", headers},
	{"trailers", trailers},
	{"informational", informational},
	{"wire", wires},
	{"files", files},
	{"copy", copies},
	{"mutation", mutations},
	{"hijack", hijacks},
	{"hijacked", hijackedWriters},
	{"controller", controllers},
	{"context", contexts},
	{"panics", panics},
	{"errorlog", errorLogs},
	{"retention", retention},
	{"timeouts", timeouts},
	{"limits", limits},
	{"malformed", malformed},
	{"strict", strictness},
	{"versions", versions},
	{"connstate", connStates},
	{"hooks", hooks},
	{"netconn", netConns},
	{"shutdown", shutdowns},
	{"abandon", abandons},
	{"wrappers", wrappers},
	{"proxy", proxies},
	{"load", loads},
}

// Run tests target for every behaviour, each in a parallel subtest of a test with the target's
// name.
func Run(t *testing.T, target Target) {
	t.Run(target.Name, func(t *testing.T) {
		known, failed := make(map[string]bool), new(atomic.Bool)
		for _, table := range tables {
			t.Run(table.subject, func(t *testing.T) {
				t.Parallel()
				for _, f := range table.behaviours {
					(&test{T: t, target: target, failed: failed}).each(nameOf(f), func(t *test) {
						t.Parallel()
						f(t)
					})
				}
			})
			for _, f := range table.behaviours {
				known[nameOf(f)] = true
			}
		}
		for name := range target.Except {
			if behaviour, _, _ := strings.Cut(name, "/"); !known[behaviour] {
				t.Errorf("Target.Except: there is no behaviour %q", behaviour)
			}
		}
	})
}

// nameOf returns the name of the function f.
func nameOf(f behaviour) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// A test is a testing.T with the target of this run, and the methods that behaviours use.
type test struct {
	*testing.T
	target Target
	path   string       // of the behaviour: its name and the names of its parts
	trial  bool         // failures panic, and escalate recovers
	gates  []gate       // created by newGate
	failed *atomic.Bool // a behaviour of this run has failed
}

// patience returns how long to wait for an event.
func (t *test) patience() time.Duration {
	if t.trial || t.Failed() || t.failed.Load() {
		return impatience
	}
	return patience
}

// each runs f as a subtest, unless the target excepts it.
func (t *test) each(name string, f func(t *test)) {
	path := strings.TrimPrefix(t.path+"/"+strings.ReplaceAll(name, " ", "_"), "/")
	t.Run(name, func(tt *testing.T) {
		if reason, ok := t.target.Except[path]; ok {
			tt.Skip("not so with this target:", reason)
		}
		tt.Cleanup(func() {
			if tt.Failed() {
				t.failed.Store(true)
			}
		})
		f(&test{T: tt, target: t.target, path: path, failed: t.failed})
	})
}

// needHooks skips the test if the target does not use the hooks of its http.Server.
func (t *test) needHooks() {
	if t.target.NoHooks {
		t.Skip("the target does not use the hooks of its http.Server")
	}
}

// A trialFailure is the panic of a test that failed under escalate and may be repeated.
type trialFailure string

// Fatalf ends the test, or the current attempt under escalate.
func (t *test) Fatalf(format string, args ...any) {
	t.Helper()
	if t.trial {
		panic(trialFailure(fmt.Sprintf(format, args...)))
	}
	t.T.Fatalf(format, args...)
}

// Errorf ends the current attempt under escalate. Otherwise it is like testing.T's.
func (t *test) Errorf(format string, args ...any) {
	t.Helper()
	if t.trial {
		t.Fatalf(format, args...)
	}
	t.T.Errorf(format, args...)
}

// escalate calls f with increasing timeouts until f does not fail. On a busy machine a timeout may
// expire before a client has had its turn, however generous it is on an idle machine; if no timeout
// works, the server is wrong.
func (t *test) escalate(f func(t *test, d time.Duration)) {
	t.Helper()
	for _, d := range []time.Duration{100 * time.Millisecond, time.Second} {
		err := t.try(f, d)
		if err == "" {
			return
		}
		t.Logf("with %v: %s", d, err)
	}
	f(t, 5*time.Second)
}

func (t *test) try(f func(t *test, d time.Duration), d time.Duration) (failure trialFailure) {
	attempt := *t
	attempt.trial, attempt.gates = true, nil
	defer func() {
		for _, g := range attempt.gates { // the cleanup of a later server waits for its handlers
			g.open()
		}
		if v := recover(); v != nil {
			var ok bool
			if failure, ok = v.(trialFailure); !ok {
				panic(v)
			}
		}
	}()
	f(&attempt, d)
	return ""
}

// eventually waits until cond holds.
func (t *test) eventually(what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(t.patience())
	for wait := 100 * time.Microsecond; !cond(); wait = min(2*wait, 10*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
		time.Sleep(wait)
	}
}

// receive waits for a value from ch, or until ch is closed.
func receive[V any](t *test, ch <-chan V, what string) V {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(t.patience()):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// give sends v to ch, for a handler that waits for it.
func give[V any](t *test, ch chan<- V, v V) {
	t.Helper()
	select {
	case ch <- v:
	case <-time.After(t.patience()):
		t.Fatalf("no handler has waited for %v", v)
	}
}

// A gate blocks a handler until the test opens it.
type gate chan struct{}

// newGate returns a gate, which is opened no later than at the end of the test or of the attempt.
func (t *test) newGate() gate {
	g := make(gate)
	t.gates = append(t.gates, g)
	t.Cleanup(g.open)
	return g
}

func (g gate) open() {
	select {
	case <-g:
	default:
		close(g)
	}
}
