package child_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

func init() {
	// evil is ready, and answers its first task with what the environment says.
	roles["evil"] = func() int {
		answer, err := hex.DecodeString(os.Getenv("EVIL"))
		if err != nil {
			return 9
		}
		in := make([]byte, 1<<16)
		os.Stdin.Read(in)
		os.Stdout.Write(head(0, 0, 0))
		os.Stdin.Read(in)
		os.Stdout.Write(answer)
		time.Sleep(time.Hour)
		return 0
	}
}

// A child that breaks the protocol loses its own task and nothing else.
func TestChildThatBreaksTheProtocol(t *testing.T) {
	good := frame(child.Outcome, 1, child.Encode(task.Outcome{Output: []byte("{}")}))
	outcome := func(b ...byte) []byte { return frame(child.Outcome, 1, b) }
	for name, test := range map[string]struct {
		answer []byte
		want   string
	}{
		"unknown kind":        {frame(99, 1, nil), "unknown kind 99"},
		"of another task":     {frame(child.Outcome, 7, good[16:]), "a frame for task 7 during task 1"},
		"an answer":           {frame(0, 1, nil), "unexpected kind 0"},
		"a cancel":            {frame(child.Cancel, 1, nil), "unexpected kind 5"},
		"too large":           {head(1<<32-1, child.Outcome, 1), "more than the limit"},
		"empty outcome":       {outcome(), "empty outcome"},
		"outcome of no kind":  {outcome(200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), "unknown kind 200"},
		"outcome cut off":     {outcome(0, 0, 0), "incomplete"},
		"outcome with a lie":  {outcome(0, 255, 255, 255, 255, 0, 0), "a text of 4294967295 bytes"},
		"stream from a task":  {slices.Concat(frame(child.Chunk, 1, []byte("x")), good), "not asked for"},
		"stash without JSON":  {frame(child.Store, 1, []byte("{")), "invalid call of the stash"},
		"stash too large":     {head(1<<20, child.Store, 1), "more than the limit"},
		"half a frame, ended": {good[:20], ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := workers(1)
			g := &c.Groups[0]
			g.Command.Grace = 10 * time.Millisecond
			g.Failed = func(error) {}
			answer := test.answer
			g.Command.New = func() *exec.Cmd {
				cmd := as("evil").New()
				cmd.Env = append(cmd.Env, "EVIL="+hex.EncodeToString(answer))
				return cmd
			}
			p := open(t, c)
			ctx := ctx
			if test.want == "" { // it hangs
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			_, err := empty.Do(ctx, p, struct{}{})
			if test.want == "" {
				if err != ctx.Err() {
					t.Errorf("%v, want the context's error", err)
				}
				return
			}
			if !errors.Is(err, task.ErrLost) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want ErrLost and %q", err, test.want)
			}
		})
	}
}

func TestStreamThatBreaksTheProtocol(t *testing.T) {
	good := frame(child.Outcome, 1, child.Encode(task.Outcome{}))
	for name, answer := range map[string][]byte{
		"an empty chunk":     slices.Concat(frame(child.Chunk, 1, nil), good),
		"a chunk too large":  head(64<<10+1, child.Chunk, 1),
		"of another task":    frame(child.Chunk, 2, []byte("x")),
		"it becomes another": slices.Concat(frame(child.Chunk, 1, []byte("x")), frame(child.Chunk, 2, []byte("y"))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := workers(1)
			c.Groups[0].Command.New = func() *exec.Cmd {
				cmd := as("evil").New()
				cmd.Env = append(cmd.Env, "EVIL="+hex.EncodeToString(answer))
				return cmd
			}
			var got strings.Builder
			if err := count.Do(ctx, open(t, c), 1, &got); !errors.Is(err, task.ErrLost) || strings.Contains(got.String(), "y") {
				t.Errorf("%q, %v, want ErrLost", got.String(), err)
			}
		})
	}
}

// What a child has sent before its task cannot be the answer to it.
func TestAnswerBeforeTheTask(t *testing.T) {
	good := frame(child.Outcome, 1, child.Encode(task.Outcome{Output: []byte("{}")}))
	early := frame(child.Outcome, 2, child.Encode(task.Outcome{Output: []byte("{}")}))
	c := workers(1)
	c.Attempts = 1
	c.Groups[0].Command.New = func() *exec.Cmd {
		cmd := as("evil").New()
		cmd.Env = append(cmd.Env, "EVIL="+hex.EncodeToString(append(good, early...)))
		return cmd
	}
	p := open(t, c)
	if _, err := empty.Do(ctx, p, struct{}{}); err != nil {
		t.Error(err)
	}
	if _, err := empty.Do(ctx, p, struct{}{}); !errors.Is(err, task.ErrLost) || !strings.Contains(err.Error(), "nothing has asked for") {
		t.Errorf("%v, want ErrLost", err)
	}
}
