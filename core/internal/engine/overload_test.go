package engine

import (
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An eventLog counts what an overload logs.
type eventLog struct {
	mu           sync.Mutex // guards following
	begun, ended int
	sum          int64 // of the counts of episodes
	disordered   bool
	atEnd        func() // called while the end of an episode is logged, if it is not nil
}

func (l *eventLog) log(_ slog.Level, msg string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch msg {
	case "recycling: refusing connections":
		l.begun++
	case "recycling: no longer refusing connections":
		l.ended++
		if l.atEnd != nil {
			l.atEnd()
		}
		for i := 0; i < len(args); i += 2 {
			if args[i] == "count" {
				l.sum += args[i+1].(int64)
			}
		}
	}
	l.disordered = l.disordered || l.begun != l.ended && l.begun != l.ended+1
}

// Events that are concurrent with the end of an episode belong to it or to the next one.
func TestOverloadLosesNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(eventLog)
		o := &overload{config: &Config{Queue: 1, Log: log.log}}
		const rounds, goroutines = 1000, 4
		for range rounds {
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					time.Sleep(quietTime) // the timer fires at the same time
					o.note(refusedQueue)
				})
			}
			all.Wait()
		}
		o.end()
		synctest.Wait()
		if n := o.count(refusedQueue); n != rounds*goroutines || log.sum != n {
			t.Errorf("%d events are counted and %d are logged, want %d", n, log.sum, rounds*goroutines)
		}
		if log.disordered || log.begun == 0 || log.begun != log.ended {
			t.Errorf("%d episodes have begun and %d have ended; disordered: %t", log.begun, log.ended, log.disordered)
		}
	})
}

func TestEventAtTheEndOfAnEpisodeBeginsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(eventLog)
		o := &overload{config: &Config{Queue: 1, Log: log.log}}
		log.atEnd = func() {
			if log.ended == 1 {
				o.note(refusedQueue)
			}
		}
		o.note(refusedQueue)
		time.Sleep(3 * quietTime)
		synctest.Wait()
		if log.begun != 2 || log.ended != 2 || log.sum != 2 {
			t.Errorf("%d episodes have begun and %d have ended, with %d events, want 2 of each", log.begun, log.ended, log.sum)
		}
	})
}

func TestOverloadHasNoTimerBetweenEpisodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(eventLog)
		o := &overload{config: &Config{Queue: 1, Log: log.log}}
		o.end()
		if o.all[refusedQueue].timer != nil {
			t.Error("there is a timer before the first event")
		}
		o = &overload{config: &Config{Queue: 1, Log: log.log}}
		o.note(refusedQueue)
		time.Sleep(2 * quietTime)
		synctest.Wait()
		if o.lasting.Load() != 0 || o.all[refusedQueue].timer.Stop() {
			t.Error("there is a timer after the last event")
		}
		o.end()
		o.note(refusedQueue)
		synctest.Wait()
		if log.begun != 1 || log.ended != 1 || o.count(refusedQueue) != 2 {
			t.Errorf("%d episodes have begun and %d have ended, with %d events", log.begun, log.ended, o.count(refusedQueue))
		}
	})
}

// Every reason has a description.
func TestReasonsAreDescribed(t *testing.T) {
	c := &Config{Descriptors: 1}
	for r := range numReasons {
		if reasons[r].does == "" || r.name() == "" || r.limit(c) == nil {
			t.Errorf("%d is %q for %q with limit %v", r, reasons[r].does, r.name(), r.limit(c))
		}
	}
}
