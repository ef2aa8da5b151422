package child_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// Children are killed while they run tasks. Idempotent tasks are all answered. Of the others, each
// runs at most once, and is answered or gets ErrLost.
func TestTasksOfChildrenThatAreKilled(t *testing.T) {
	const kills, callers = 100, 8
	start(t, as("obedient"), nil).Close() // so that everything that is created once exists
	before := left()
	var mu sync.Mutex
	alive := map[int]bool{}
	c := workers(3)
	c.Attempts = 100
	g := &c.Groups[0]
	g.MaxBackoff = 5 * time.Millisecond
	g.Event = func(e offload.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch e.Kind {
		case offload.ResourceOpened:
			alive[e.Resource.(*child.Process).Pid()] = true
		case offload.ResourceClosed:
			delete(alive, e.Resource.(*child.Process).Pid())
		}
	}
	p := open(t, c)
	files := map[*task.Task[mark, int]]string{
		tally: filepath.Join(t.TempDir(), "tally"),
		again: filepath.Join(t.TempDir(), "again"),
	}
	lost, answered := map[int]bool{}, map[int]bool{}
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range callers {
		running.Go(func() {
			for n := i; ; n += callers {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := again.Do(ctx, p, mark{files[again], n}); got != n || err != nil {
					t.Errorf("an idempotent task: %d, %v; want %d", got, err, n)
				}
				got, err := tally.Do(ctx, p, mark{files[tally], n})
				mu.Lock()
				switch {
				case err == nil && got == n:
					answered[n] = true
				case errors.Is(err, task.ErrLost):
					lost[n] = true
				default:
					t.Errorf("%d, %v; want %d or ErrLost", got, err, n)
				}
				mu.Unlock()
			}
		})
	}
	killSome(t, kills, 10, &mu, alive)
	close(stop)
	running.Wait()
	if err := p.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	ran := map[int]int{}
	for n := range numbersIn(t, files[tally]) {
		ran[n]++
	}
	for n, times := range ran {
		if times > 1 {
			t.Errorf("task %d, which is not idempotent, has run %d times", n, times)
		}
	}
	for n := range answered {
		if ran[n] == 0 {
			t.Errorf("task %d was answered, but has not run", n)
		}
	}
	if len(lost) == 0 {
		t.Error("no task was lost")
	}
	if after := left(); after != before {
		t.Errorf("before there were %+v, now there are %+v", before, after)
	}
	t.Logf("%d answered, %d lost: %+v", len(answered), len(lost), p.Stats()["all"])
}

// numbersIn returns the numbers in a file, as an iterator.
func numbersIn(t *testing.T, file string) func(yield func(int) bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(int) bool) {
		for line := range strings.Lines(string(b)) {
			n, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Errorf("%q: %v", line, err)
			}
			if !yield(n) {
				return
			}
		}
	}
}

// A task that was never sent whole cannot have run, so it is given to another child even if it is
// not idempotent.
func TestTaskThatWasNotSentIsGivenToAnotherChild(t *testing.T) {
	c := workers(1)
	c.Attempts = 100
	p := open(t, c)
	for range 20 {
		n, err := pid.Do(ctx, p, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		kill(t, n) // it is idle, and the next task may be given to it before that is noticed
		large := []byte(strings.Repeat("0123456789abcdef", 1<<17))
		if out, err := echo.Do(ctx, p, large); err != nil || len(out) != len(large) {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	}
}
