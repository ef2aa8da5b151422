package child_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

func TestWrongConfigNamesTheField(t *testing.T) {
	group := func(name string, names ...string) child.Group { return child.Group{Name: name, Tasks: names} }
	resources := func(f func(g *child.Group)) child.Config {
		c := workers(1)
		f(&c.Groups[0])
		return c
	}
	for want, c := range map[string]child.Config{
		"Tasks has none":                      {},
		"Tasks has none, want":                {Tasks: new(task.Set)},
		"Attempts is -1":                      {Tasks: &tasks, Attempts: -1},
		"Workers is -2":                       {Tasks: &tasks, Workers: -2},
		"Workers is 2, and there are Groups":  {Tasks: &tasks, Workers: 2, Groups: []child.Group{group("a")}},
		`Groups[0].Name is ""`:                {Tasks: &tasks, Groups: []child.Group{group("")}},
		`Groups[1].Name is "a b"`:             {Tasks: &tasks, Groups: []child.Group{group("a"), group("a b")}},
		`the name "a"`:                        {Tasks: &tasks, Groups: []child.Group{group("a"), group("a", "echo")}},
		`"a" and "b" are both empty`:          {Tasks: &tasks, Groups: []child.Group{group("a"), group("b")}},
		`has "unknown": task: unknown task`:   {Tasks: &tasks, Groups: []child.Group{group("a", "unknown")}},
		`has "echo", which is in a group`:     {Tasks: &tasks, Groups: []child.Group{group("a", "echo"), group("b", "echo")}},
		"the other groups have all tasks":     {Tasks: &tasks, Groups: []child.Group{group("a", tasks.Names()...), group("b")}},
		`MaxMemory of group "all" is -1`:      resources(func(g *child.Group) { g.MaxMemory = -1 }),
		`Nice is 20`:                          resources(func(g *child.Group) { g.Command.Nice = 20 }),
		`MaxTasks is -1`:                      resources(func(g *child.Group) { g.MaxTasks = -1 }),
		`Open or Close of group "all" is set`: resources(func(g *child.Group) { g.Close = (*child.Process).Close }),
	} {
		p, err := child.Open(ctx, c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
		if err == nil {
			p.Close()
		}
	}
}

func TestGroupsHaveChildrenOfTheirOwn(t *testing.T) {
	a, b := child.Group{Name: "b", Tasks: []string{"stubbornly"}}, child.Group{Name: "a"}
	a.Workers, b.Workers = 1, 1
	p := open(t, child.Config{Tasks: &tasks, Groups: []child.Group{a, b}})
	one, err := stubbornly.Do(ctx, p, 0)
	if err != nil {
		t.Error(err)
	}
	other, err := pid.Do(ctx, p, struct{}{})
	if err != nil || one == other {
		t.Errorf("processes %d and %d, %v", one, other, err)
	}
	groups, err := p.Groups(ctx)
	if err != nil || len(groups) != 2 || groups[0].Name != "a" || groups[1].Name != "b" ||
		!slices.Equal(groups[1].Tasks, []string{"stubbornly"}) || slices.Contains(groups[0].Tasks, "stubbornly") {
		t.Errorf("%+v, %v", groups, err)
	}
	if s := p.Stats(); s["a"].Answered != 1 || s["b"].Answered != 1 {
		t.Errorf("%+v", s)
	}
	var strangers task.Set
	stranger := task.Register(&strangers, "stranger", func(context.Context, int) (int, error) { return 0, nil }, task.Options{})
	if _, err := stranger.Do(ctx, p, 0); !errors.Is(err, task.ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
}

// with returns a Command.New with more in the environment.
func with(env ...string) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := child.Self()
		cmd.Env = append(cmd.Env, env...)
		return cmd
	}
}

func TestChildIsWarmBeforeItIsReady(t *testing.T) {
	c := workers(2)
	c.Groups[0].Tasks = []string{"echo", "reluctant"}
	var mu sync.Mutex
	warmed := map[int][]string{}
	c.Warming = func(group string, pid int, task string) {
		mu.Lock()
		defer mu.Unlock()
		warmed[pid] = append(warmed[pid], group+" "+task)
	}
	open(t, c)
	for pid, got := range warmed {
		if !slices.Equal(got, []string{"all echo", "all reluctant"}) {
			t.Errorf("process %d: %q", pid, got)
		}
	}
	if len(warmed) != 2 {
		t.Errorf("%d processes have warmed up, want 2", len(warmed))
	}
}

func TestChildThatDoesNotWarmUp(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{
		"no model": "task: warming up reluctant: no model",
		"panic":    "panic: too warm",
		"goexit":   "Goexit",
		"long":     `not ready within 3s, while it was warming up "reluctant"`,
	} {
		c := workers(1)
		g := &c.Groups[0]
		g.Tasks = []string{"reluctant"}
		g.Command.New = with("WARM=" + how)
		if how == "long" {
			g.Command.Ready = 3 * time.Second // enough to begin
		}
		if p, err := child.Open(ctx, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", how, err, want)
			if err == nil {
				p.Close()
			}
		}
	}
}

func TestSlotsAreHonoured(t *testing.T) {
	p := open(t, workers(1))
	if _, err := gpu.Do(ctx, p, struct{}{}); !errors.Is(err, task.ErrSlots) {
		t.Errorf("%v, want ErrSlots", err)
	}
	c := workers(1)
	c.Groups[0].Slots = offload.Slots{"GPU": 1}
	p = open(t, c)
	if got, err := gpu.Do(ctx, p, struct{}{}); got == os.Getpid() || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestOpenInAChildIsAnError(t *testing.T) {
	t.Setenv("RECYCLING_CHILD", "tasks")
	if _, err := child.Open(ctx, workers(1)); err == nil || !strings.Contains(err.Error(), "Main") {
		t.Error(err)
	}
}

func TestPlaceIsManaged(t *testing.T) {
	var p task.Manager = open(t, workers(2))
	if n, err := p.Resize(ctx, "all", 1); n != 3 || err != nil {
		t.Errorf("%d workers, %v; want 3", n, err)
	}
	if _, err := p.Resize(ctx, "all", -3); !errors.Is(err, task.ErrWorkers) {
		t.Errorf("%v, want ErrWorkers", err)
	}
	var before []task.Group
	eventually(t, "the third child is ready", func() bool {
		var err error
		before, err = p.Groups(ctx)
		return err == nil && before[0].Workers == 3 && (runtime.GOOS != "linux" || before[0].Memory > 0) && p.(*child.Place).Stats()["all"].Idle == 3
	})
	if err := p.Restart(ctx, "all"); err != nil {
		t.Error(err)
	}
	after, err := p.Groups(ctx)
	if err != nil || after[0].Restarts != 3 || !after[0].Oldest.After(before[0].Oldest) {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
	if _, err := p.Resize(ctx, "nobody", 1); !errors.Is(err, task.ErrGroup) {
		t.Errorf("%v, want ErrGroup", err)
	}
	if err := p.Restart(ctx, "nobody"); !errors.Is(err, task.ErrGroup) {
		t.Errorf("%v, want ErrGroup", err)
	}
	if n, err := p.Resize(ctx, "all", -2); n != 1 || err != nil {
		t.Errorf("%d workers, %v; want 1", n, err)
	}
}

// A child is replaced for each of the reasons that there are, while it serves.
func TestChildIsReplaced(t *testing.T) {
	for name, set := range map[string]func(g *child.Group){
		"tasks": func(g *child.Group) { g.MaxTasks = 5 },
		"age":   func(g *child.Group) { g.MaxAge = 50 * time.Millisecond },
		"worn": func(g *child.Group) {
			g.Worn = func(*child.Process) error { return errors.New("tired") }
			g.CheckEvery = 20 * time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := workers(2)
			set(&c.Groups[0])
			p := open(t, c)
			seen := map[int]bool{}
			eventually(t, "there were 6 children", func() bool {
				n, err := pid.Do(ctx, p, struct{}{})
				if err != nil {
					t.Fatal(err)
				}
				seen[n] = true
				return len(seen) >= 6
			})
			if s := p.Stats()["all"]; s.Failed != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestChildThatHoardsMemoryIsReplaced(t *testing.T) {
	if runtime.GOOS != "linux" {
		c := workers(1)
		c.Groups[0].MaxMemory = 1
		if _, err := child.Open(ctx, c); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v, want ErrUnsupported", err)
		}
		return
	}
	probe := open(t, workers(1))
	groups, err := probe.Groups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const hoardOf = 16 << 20 // with the race detector it takes five times as much
	c := workers(1)
	c.Groups[0].MaxMemory = groups[0].Memory + 8*hoardOf
	c.Groups[0].CheckEvery = 20 * time.Millisecond
	var mu sync.Mutex
	var reasons []string
	c.Groups[0].Event = func(e offload.Event) {
		if e.Kind == offload.ResourceReplaced {
			mu.Lock()
			defer mu.Unlock()
			reasons = append(reasons, e.Err.Error())
		}
	}
	p := open(t, c)
	first, err := hoard.Do(ctx, p, hoardOf)
	if err != nil {
		t.Fatal(err)
	}
	hoards := 1
	eventually(t, "another child serves", func() bool {
		got, err := hoard.Do(ctx, p, hoardOf)
		if err != nil {
			t.Fatal(err)
		}
		if got == first {
			hoards++
		}
		return got != first
	})
	if hoards < 2 {
		t.Errorf("the child was replaced after %d tasks, want at least 2", hoards)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(reasons) == 0 || !strings.Contains(reasons[0], "more than MaxMemory") {
		t.Errorf("%q", reasons)
	}
}

func TestHundredRestartsUnderLoad(t *testing.T) {
	start(t, as("obedient"), nil).Close() // so that everything that is created once exists
	before := left()
	p := open(t, workers(2))
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for i := range 6 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				want := fmt.Sprint(i, ".", n)
				if got, err := echo.Do(ctx, p, []byte(want)); string(got) != want || err != nil {
					t.Errorf("%q, %v; want %q", got, err, want)
				}
				var lines strings.Builder
				if err := count.Do(ctx, p, 3, &lines); lines.String() != "0\n1\n2\n" || err != nil {
					t.Errorf("%q, %v", lines.String(), err)
				}
			}
		})
	}
	for range 100 {
		if err := p.Restart(ctx, "all"); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	callers.Wait()
	s := p.Stats()["all"]
	if s.Replaced != 200 || s.Failed != 0 || s.Answered != s.Done {
		t.Errorf("%+v", s)
	}
	t.Logf("%d tasks", s.Done)
	p.Close()
	<-p.Done()
	if after := left(); after != before {
		t.Errorf("before there were %+v, now there are %+v", before, after)
	}
}

func TestObserverKnowsHowManyTasksRunInChildren(t *testing.T) {
	a, b := child.Group{Name: "a", Tasks: []string{"pid"}}, child.Group{Name: "b"}
	a.Workers, b.Workers = 1, 2
	rec := observe.NewTaskRecorder()
	p := task.Observe(open(t, child.Config{Tasks: &tasks, Groups: []child.Group{a, b}}), "children", rec)
	if _, err := pid.Do(ctx, p, struct{}{}); err != nil {
		t.Error(err)
	}
	eventually(t, "all three are idle", func() bool { return rec.Places()["children"].Idle == 3 })
}
