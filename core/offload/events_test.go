package offload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// A log of events.
type eventLog struct {
	mu     sync.Mutex
	events []string
}

func (l *eventLog) add(e offload.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := e.Kind.String()
	if h, ok := e.Resource.(*handle); ok {
		s += fmt.Sprint(" ", h.n)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	l.events = append(l.events, s)
}

// take returns the events since the last call, without those in a bubble that have not happened.
func (l *eventLog) take() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events
}

func (l *eventLog) want(t *testing.T, want ...string) {
	t.Helper()
	if got := l.take(); !slices.Equal(got, want) {
		t.Errorf("events are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l eventLog
		s, r := newShopOf(t, offload.ResourceConfig[*handle]{Config: offload.Config{Workers: 1, Event: l.add}, Worn: worn, CheckEvery: -1, Backoff: time.Second})
		l.want(t, "ResourceOpened 0")
		use(context.Background(), r, func(context.Context, *handle) error { return offload.ErrBroken })
		time.Sleep(time.Minute)
		l.want(t, "ResourceFailed: offload: resource is broken", "ResourceClosed 0", "ResourceOpened 1")
		use(context.Background(), r, well)
		l.want(t)
		use(context.Background(), r, well)
		l.want(t, "ResourceOpened 2", "ResourceReplaced 1: asked twice", "ResourceClosed 1")
		r.Restart(context.Background())
		l.want(t, "ResourceOpened 3", "ResourceReplaced 2: offload: Restart was called", "ResourceClosed 2")
		r.Resize(1)
		if got := l.take(); len(got) != 2 || !slices.Contains(got, "WorkerAdded") || !slices.Contains(got, "ResourceOpened 4") {
			t.Errorf("%q", got)
		}
		r.Resize(-1)
		if got := l.take(); len(got) != 2 || !strings.HasPrefix(got[0], "ResourceClosed") || got[1] != "WorkerRemoved" {
			t.Errorf("%q", got)
		}
		s.setRefuse(errors.New("not today"))
		use(context.Background(), r, func(context.Context, *handle) error { return offload.ErrBroken })
		time.Sleep(1500 * time.Millisecond)
		if got := l.take(); len(got) != 3 || got[0] != "ResourceFailed: offload: resource is broken" || got[2] != "ResourceFailed: not today" {
			t.Errorf("%q", got)
		}
		s.setRefuse(nil)
		time.Sleep(time.Minute)
		l.take()
		r.Shutdown(context.Background())
		if got := l.take(); len(got) != 1 || !strings.HasPrefix(got[0], "ResourceClosed") {
			t.Errorf("%q", got)
		}
	})
}

func TestEventsOfAPoolWithoutResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l eventLog
		p := newPool(t, offload.Config{Workers: 1, Event: l.add})
		go ways[0].run(context.Background(), p, sleep(time.Minute)) // events must not wait for its worker
		synctest.Wait()
		p.Resize(1)
		l.want(t, "WorkerAdded")
		p.Resize(-1)
		l.want(t, "WorkerRemoved")
		p.Resize(2)
		l.want(t, "WorkerAdded", "WorkerAdded")
		p.Shutdown(context.Background())
		l.want(t)
	})
}

// Functions of the configuration may call methods of the pool: no lock is held.
func TestEventsMayCallThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r atomic.Pointer[offload.Resources[*handle]]
		look := func() {
			if r := r.Load(); r != nil {
				r.Stats()
				r.Resize(0)
			}
		}
		_, res := newShopOf(t, offload.ResourceConfig[*handle]{
			Config: offload.Config{Workers: 2, Event: func(offload.Event) { look() }},
			Worn:   func(*handle) error { look(); return errors.New("always") },
		})
		r.Store(res)
		for range 10 {
			used(t, res, 2)
		}
		res.Resize(2)
		res.Restart(context.Background())
		res.Resize(-2)
	})
}

func TestPanicsOfHooksAreReported(t *testing.T) {
	log.SetOutput(io.Discard) // panics of Panic
	defer log.SetOutput(os.Stderr)
	for _, closeFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			panics := map[string]int{}
			var n atomic.Int32
			r, err := offload.NewResources(context.Background(), offload.ResourceConfig[int32]{
				Config: offload.Config{
					Workers: 1,
					Event:   func(e offload.Event) { panic(e.Kind.String()) },
					Panic: func(v any, stack []byte) {
						mu.Lock()
						defer mu.Unlock()
						panics[fmt.Sprint(v)]++
						if !strings.Contains(string(stack), "events_test.go") {
							t.Errorf("the stack is\n%s", stack)
						}
						panic("in Panic too")
					},
				},
				Open:       func(context.Context, func(error)) (int32, error) { return n.Add(1), nil },
				Close:      func(int32) error { return errors.New("close") },
				Failed:     func(error) { panic("Failed") },
				Worn:       func(int32) error { panic("Worn") },
				CloseFirst: closeFirst,
			})
			if err != nil {
				t.Fatal(err)
			}
			task := func(err error) error {
				_, err = offload.Use(context.Background(), r, func(context.Context, int32) (int, error) { return 0, err })
				return err
			}
			if err := task(nil); err != nil {
				t.Error(err)
			}
			if err := task(offload.ErrBroken); !errors.Is(err, offload.ErrBroken) {
				t.Error(err)
			}
			synctest.Wait()
			if err := r.Restart(context.Background()); err != nil {
				t.Error(err)
			}
			r.Resize(1)
			synctest.Wait()
			r.Resize(-1)
			synctest.Wait()
			if err := task(nil); err != nil {
				t.Error(err)
			}
			if err := r.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, want := range []string{"WorkerAdded", "WorkerRemoved", "ResourceOpened", "ResourceReplaced", "ResourceFailed", "ResourceClosed", "Failed", "Worn"} {
				if panics[want] == 0 {
					t.Errorf("CloseFirst=%t: no panic of %s was reported: %v", closeFirst, want, panics)
				}
			}
		})
	}
}

func TestEventKindString(t *testing.T) {
	if got := fmt.Sprint(offload.ResourceReplaced, offload.EventKind(77)); got != "ResourceReplaced EventKind(77)" {
		t.Error(got)
	}
}
