package child_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// TestOrphanExitsAfter5Seconds ends standard input while a task is running. That is noticed when
// the watcher has started.
func TestOrphanExitsAfter5Seconds(t *testing.T) {
	for _, x := range []struct {
		task  time.Duration
		exits bool
	}{{5*time.Second - 1, false}, {time.Hour, true}} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			exited := make(chan int, 1)
			defer child.SetExit(func(status int) {
				if d := time.Since(begin); d != 5*time.Second+child.WatchDelay {
					t.Errorf("the process exits after %v, want 5s after the watcher has started", d)
				}
				exited <- status
			})()
			in, parent := io.Pipe()
			go func() {
				parent.Write(head(0, 0, 1))
				parent.Close()
			}()
			if err := child.ServeOn(in, io.Discard, func([]byte) ([]byte, error) {
				time.Sleep(x.task)
				return nil, nil
			}); err != nil {
				t.Errorf("Serve returned %v", err)
			}
			synctest.Wait()
			select {
			case status := <-exited:
				if !x.exits || status != 1 {
					t.Errorf("with a task of %v the process exits with status %d", x.task, status)
				}
			default:
				if x.exits {
					t.Errorf("with a task of %v the process does not exit", x.task)
				}
			}
		})
	}
}

// When the parent is gone, the context of the running task ends.
func TestTaskIsCanceledWhenItsParentIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tasks task.Set
		begin, ended := time.Now(), time.Duration(0)
		task.Register(&tasks, "wait", func(ctx context.Context, _ struct{}) (int, error) {
			<-ctx.Done()
			ended = time.Since(begin)
			return 0, ctx.Err()
		}, task.Options{})
		in, parent := io.Pipe()
		go func() {
			parent.Write(frame(child.Setup, 0, child.SetupFor()))
			parent.Write(frame(child.Ask, 1, child.Question(0, 1<<10, "wait", "{}")))
			time.Sleep(time.Minute)
			parent.Close()
		}()
		if err := child.ServeTasksOn(in, io.Discard, &tasks); err != nil {
			t.Errorf("ServeTasks returned %v", err)
		}
		if ended != time.Minute {
			t.Errorf("the context has ended after %v, want 1m, when the parent is gone", ended)
		}
	})
}

// The deadline and the cancellation arrive with the task.
func TestTaskHasTheDeadlineOfItsFrame(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var tasks task.Set
			var ended time.Duration
			task.Register(&tasks, "wait", func(ctx context.Context, _ struct{}) (int, error) {
				begin := time.Now()
				<-ctx.Done()
				ended = time.Since(begin)
				return 0, ctx.Err()
			}, task.Options{})
			in, parent := io.Pipe()
			go func() {
				parent.Write(frame(child.Setup, 0, child.SetupFor()))
				parent.Write(frame(child.Ask, 7, child.Question(time.Hour, 1<<10, "wait", "{}")))
				time.Sleep(time.Minute)
				if cancel {
					parent.Write(frame(child.Cancel, 6, nil)) // of another task
					time.Sleep(time.Minute)
					parent.Write(frame(child.Cancel, 7, nil))
				}
				time.Sleep(2 * time.Hour)
				parent.Close()
			}()
			var out bytes.Buffer
			if err := child.ServeTasksOn(in, &out, &tasks); err != nil {
				t.Errorf("ServeTasks returned %v", err)
			}
			want, kind := time.Hour, task.TimedOut
			if cancel {
				want, kind = 2*time.Minute, task.Canceled
			}
			last, err := child.Decode(out.Bytes()[2*16:])
			if ended != want || last.Kind != kind || err != nil {
				t.Errorf("the context has ended after %v, want %v; the outcome is %+v, %v", ended, want, last, err)
			}
		})
	}
}
