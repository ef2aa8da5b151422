package child_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/offload/child"
)

// What a child says while it warms up is bounded, even if it has no time limit.
func TestWarmUpThatFloodsIsRefused(t *testing.T) {
	echoes := frame(child.Warming, 0, []byte("echo"))
	for name, sends := range map[string][]byte{
		"one twice": slices.Concat(echoes, echoes, head(0, 0, 0)),
		"another":   append(frame(child.Warming, 0, []byte("other")), head(0, 0, 0)...),
	} {
		if err := child.Greet(sends); err == nil || !strings.Contains(err.Error(), "warm") {
			t.Errorf("%s: %v, want an error about its warm-up", name, err)
		}
	}
	if err := child.Greet(append(echoes, head(0, 0, 0)...)); err != nil {
		t.Error(err)
	}
}

// A callback that panics costs an attempt to start a child, and leaves no process behind.
func TestWarmingThatPanicsLeavesNoProcess(t *testing.T) {
	start(t, as("obedient"), nil).Close() // so that everything that is created once exists
	before := left()
	c := workers(1)
	c.Warming = func(string, int, string) { panic("my callback") }
	if p, err := child.Open(ctx, c); err == nil || !strings.Contains(err.Error(), "my callback") {
		t.Errorf("%v, want the panic", err)
		if err == nil {
			p.Close()
		}
	}
	if after := left(); after != before {
		t.Errorf("before there were %+v, now there are %+v", before, after)
	}
}

func TestNewThatReturnsNothingIsAnError(t *testing.T) {
	c := as("obedient")
	c.New = func() *exec.Cmd { return nil }
	if _, err := c.Start(ctx, nil); err == nil || !strings.Contains(err.Error(), "New") {
		t.Errorf("%v, want an error about New", err)
	}
}
