package child_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
)

// TestOrphanExitsAfter5Seconds ends standard input while a task is running. That is noticed when the
// watcher has started.
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
