package child_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// late is a place that sends a job whose context has just ended, and keeps what was sent.
type late struct{ sent []byte }

func (l *late) Do(_ context.Context, j *task.Job) error {
	input, err := j.Input()
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	l.sent = child.SentToLateTask(over, j, input)
	return context.Canceled
}

// A child drops what it gets about a task that it does not have yet. So it must learn that the
// context of a task has ended after it has got the task, however close to each other the two are.
func TestChildLearnsOfACancellationAfterTheTask(t *testing.T) {
	for _, input := range []string{"", strings.Repeat("x", 1<<20)} {
		var l late
		echo.Do(ctx, &l, []byte(input))
		var kinds []uint32
		for b := l.sent; len(b) >= 16; b = b[16+binary.BigEndian.Uint32(b):] {
			kinds = append(kinds, binary.BigEndian.Uint32(b[4:]))
		}
		if want := []uint32{child.Ask, child.Cancel}; !slices.Equal(kinds, want) {
			t.Errorf("with an input of %d bytes, the child gets frames of the kinds %v, want %v", len(input), kinds, want)
		}
	}
}

// A cancellation may arrive at any moment of a short task: the next task is not affected, and the
// child is kept.
func TestCancelRacesWithTheAnswer(t *testing.T) {
	c := workers(1)
	p := open(t, c)
	before, _ := pid.Do(ctx, p, struct{}{})
	for i := range 2000 {
		one, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range i % 200 {
				one.Err()
			}
			cancel()
		}()
		want := fmt.Sprint(i)
		got, err := echo.Do(one, p, []byte(want))
		<-done
		if err == nil && string(got) != want || err != nil && err != context.Canceled {
			t.Fatalf("task %d: %q, %v", i, got, err)
		}
	}
	if after, err := pid.Do(ctx, p, struct{}{}); after != before || err != nil {
		t.Errorf("process %d, %v; want the same, %d", after, err, before)
	}
}
