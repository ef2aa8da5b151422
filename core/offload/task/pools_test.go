package task_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// sleeper returns a task that takes d and returns its name.
func sleeper(s *task.Set, name string, d time.Duration, o task.Options) *task.Task[struct{}, string] {
	return task.Register(s, name, func(context.Context, struct{}) (string, error) {
		time.Sleep(d)
		return name, nil
	}, o)
}

func newPools(t *testing.T, tasks *task.Set, groups ...task.PoolConfig) *task.Pools {
	t.Helper()
	p, err := task.NewPools(context.Background(), tasks, groups...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		<-p.Done()
	})
	return p
}

func call(t *testing.T, tk *task.Task[struct{}, string], p task.Place) {
	t.Helper()
	if got, err := tk.Do(context.Background(), p, struct{}{}); got != tk.Name() || err != nil {
		t.Errorf("%s: %q, %v", tk.Name(), got, err)
	}
}

func TestEachGroupHasItsOwnWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tasks task.Set
		slow := sleeper(&tasks, "slow", time.Minute, task.Options{})
		quick := sleeper(&tasks, "quick", time.Second, task.Options{})
		other := sleeper(&tasks, "other", 0, task.Options{})
		p := newPools(t, &tasks,
			task.PoolConfig{Name: "rest", Config: offload.Config{Workers: 3}},
			task.PoolConfig{Name: "heavy", Tasks: []string{"slow"}, Config: offload.Config{Workers: 1}})
		for range 2 {
			go call(t, slow, p)
		}
		for range 2 {
			go call(t, quick, p)
		}
		synctest.Wait()
		call(t, other, p)
		got, err := p.Groups(context.Background())
		if err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
		if g := got[0]; g.Name != "heavy" || !slices.Equal(g.Tasks, []string{"slow"}) || g.Workers != 1 || g.Running != 1 || g.Queued != 1 {
			t.Errorf("%+v", g)
		}
		if g := got[1]; g.Name != "rest" || !slices.Equal(g.Tasks, []string{"other", "quick"}) || g.Workers != 3 || g.Running != 2 || g.Queued != 0 {
			t.Errorf("%+v", g)
		}
		if s := p.Stats(); s["heavy"].Running != 1 || s["rest"].Done != 1 {
			t.Errorf("%+v", s)
		}
		start := time.Now()
		if n, err := p.Resize(context.Background(), "heavy", 1); n != 2 || err != nil {
			t.Error(n, err)
		}
		if err := p.Shutdown(context.Background()); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v, want both slow tasks to have run at the same time", err, time.Since(start))
		}
		if _, err := slow.Do(context.Background(), p, struct{}{}); !errors.Is(err, offload.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestPoolsShutdownSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tasks task.Set
		slow := sleeper(&tasks, "slow", time.Minute, task.Options{})
		p := newPools(t, &tasks, task.PoolConfig{Name: "heavy"})
		go call(t, slow, p)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `group "heavy"`) || !strings.Contains(err.Error(), "1 tasks running") {
			t.Error(err)
		}
		<-p.Done()
	})
}

func TestPoolsConfigErrorsNameGroupFieldAndValue(t *testing.T) {
	var tasks task.Set
	sleeper(&tasks, "a", 0, task.Options{})
	sleeper(&tasks, "b", 0, task.Options{})
	for want, groups := range map[string][]task.PoolConfig{
		"no groups":                                   nil,
		`name of a group is ""`:                       {{}},
		`name of a group is "a b"`:                    {{Name: "a b"}},
		`two groups have the name "g"`:                {{Name: "g"}, {Name: "h"}, {Name: "g", Tasks: []string{"a"}}},
		`Tasks of groups "g" and "h" are both empty`:  {{Name: "h"}, {Name: "g"}},
		`Tasks of group "g" has "c": task: unknown`:   {{Name: "g", Tasks: []string{"c"}}},
		`Tasks of group "h" has "a", which is in gro`: {{Name: "g", Tasks: []string{"a"}}, {Name: "h", Tasks: []string{"a"}}},
		`Tasks of group "g" has "a", which is in gro`: {{Name: "g", Tasks: []string{"a", "a"}}},
		`group "h": offload: Workers is -1`:           {{Name: "g"}, {Name: "h", Tasks: []string{"a"}, Config: offload.Config{Workers: -1}}},
	} {
		p, err := task.NewPools(context.Background(), &tasks, groups...)
		if p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %q", p, err, want)
		}
	}
	if p, err := task.NewPools(context.Background(), nil, task.PoolConfig{Name: "g"}); p != nil || err == nil {
		t.Errorf("%v, %v, want an error for a nil Set", p, err)
	}
}

func TestPoolsWarmUpTheirTasks(t *testing.T) {
	var tasks task.Set
	var warmed []string
	var refuse error
	for _, name := range []string{"a", "b", "c"} {
		sleeper(&tasks, name, 0, task.Options{Warm: func(context.Context) error {
			warmed = append(warmed, name)
			if name == "b" {
				return refuse
			}
			return nil
		}})
	}
	newPools(t, &tasks, task.PoolConfig{Name: "g", Tasks: []string{"b", "a"}})
	if want := []string{"a", "b"}; !slices.Equal(warmed, want) {
		t.Errorf("warmed up are %v, want %v", warmed, want)
	}
	refuse = errors.New("no such model")
	if p, err := task.NewPools(context.Background(), &tasks, task.PoolConfig{Name: "g"}); p != nil || !errors.Is(err, refuse) {
		t.Error(p, err)
	}
}

func TestSlotsOfTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tasks task.Set
		gpu := sleeper(&tasks, "gpu", time.Second, task.Options{Slots: offload.Slots{"GPU": 1}})
		gpus := sleeper(&tasks, "gpus", time.Second, task.Options{Slots: offload.Slots{"GPU": 2}})
		plain := sleeper(&tasks, "plain", time.Second, task.Options{})
		c := offload.Config{Workers: 9, Slots: offload.Slots{"GPU": 1}, Wait: -1}
		pool, err := offload.New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		for _, p := range []task.Place{task.Local(pool), newPools(t, &tasks, task.PoolConfig{Name: "g", Config: c})} {
			if _, err := gpus.Do(context.Background(), p, struct{}{}); !errors.Is(err, task.ErrSlots) || !errors.Is(err, offload.ErrSlots) {
				t.Error(err)
			}
			start := time.Now()
			ended := make(chan time.Duration, 6)
			for _, tk := range []*task.Task[struct{}, string]{gpu, plain, gpu, plain, gpu, plain} {
				go func() {
					call(t, tk, p)
					ended <- time.Since(start)
				}()
			}
			var sum time.Duration
			for range 6 {
				sum += <-ended
			}
			if want := (3*1 + 1 + 2 + 3) * time.Second; sum != want {
				t.Errorf("the calls took %v together, want %v", sum, want)
			}
		}
	})
}

func TestPoolsAsManager(t *testing.T) {
	var tasks task.Set
	sleeper(&tasks, "a", 0, task.Options{})
	stranger := sleeper(new(task.Set), "stranger", 0, task.Options{})
	p := newPools(t, &tasks, task.PoolConfig{Name: "g", Config: offload.Config{Workers: 1, MaxWorkers: 2}})
	ctx := context.Background()
	if _, err := stranger.Do(ctx, p, struct{}{}); !errors.Is(err, task.ErrUnknown) {
		t.Error(err)
	}
	if _, err := p.Resize(ctx, "h", 1); !errors.Is(err, task.ErrGroup) || !strings.Contains(err.Error(), `"h"`) {
		t.Error(err)
	}
	for _, by := range []int{2, -1} {
		if _, err := p.Resize(ctx, "g", by); !errors.Is(err, task.ErrWorkers) {
			t.Error(err)
		}
	}
	if err := p.Restart(ctx, "g"); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), `"g"`) {
		t.Error(err)
	}
	if err := p.Restart(ctx, "h"); !errors.Is(err, task.ErrGroup) {
		t.Error(err)
	}
}

// broken is a Manager that cannot be asked, and cannot be compared.
type broken struct {
	task.Place
	_ []int
}

var errUnreachable = errors.New("unreachable")

func (broken) Groups(context.Context) ([]task.Group, error)     { return nil, errUnreachable }
func (broken) Resize(context.Context, string, int) (int, error) { panic("it has no group") }
func (broken) Restart(context.Context, string) error            { panic("it has no group") }
func names(groups []task.Group) (s []string) {
	for _, g := range groups {
		s = append(s, g.Name)
	}
	return s
}

func TestRoutes(t *testing.T) {
	ctx := context.Background()
	var tasks task.Set
	a, b, c := sleeper(&tasks, "a", 0, task.Options{}), sleeper(&tasks, "b", 0, task.Options{}), sleeper(&tasks, "c", 0, task.Options{})
	one := newPools(t, &tasks, task.PoolConfig{Name: "x", Config: offload.Config{Workers: 1}}, task.PoolConfig{Name: "both", Tasks: []string{"c"}})
	two := newPools(t, &tasks, task.PoolConfig{Name: "w", Config: offload.Config{Workers: 1}}, task.PoolConfig{Name: "both", Tasks: []string{"c"}})
	r := task.Routes{Tasks: map[string]task.Place{"a": one, "b": task.Observe(task.Observe(two, "two", new(nobody)), "again", new(nobody)), "c": nil}, Default: one}
	for _, tk := range []*task.Task[struct{}, string]{a, b, c} {
		call(t, tk, r)
	}
	if s1, s2 := one.Stats(), two.Stats(); s1["x"].Done != 1 || s1["both"].Done != 1 || s2["w"].Done != 1 {
		t.Errorf("%+v, %+v", s1, s2)
	}
	if got, err := r.Groups(ctx); err != nil || !slices.Equal(names(got), []string{"both", "both", "w", "x"}) {
		t.Error(names(got), err)
	}
	if n, err := r.Resize(ctx, "w", 3); n != 4 || err != nil || two.Stats()["w"].Workers != 4 {
		t.Error(n, err)
	}
	if err := r.Restart(ctx, "x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := r.Resize(ctx, "both", 1); !errors.Is(err, task.ErrGroup) || !strings.Contains(err.Error(), "several") {
		t.Error(err)
	}
	if err := r.Restart(ctx, "nobody's"); !errors.Is(err, task.ErrGroup) {
		t.Error(err)
	}

	r.Default = nil
	if _, err := c.Do(ctx, r, struct{}{}); !errors.Is(err, task.ErrUnknown) {
		t.Error(err)
	}
	r.Tasks["c"], r.Tasks["d"] = broken{}, broken{}
	if got, err := r.Groups(ctx); !errors.Is(err, errUnreachable) || len(got) != 4 {
		t.Error(names(got), err)
	}
	if n, err := r.Resize(ctx, "w", -3); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := r.Restart(ctx, "where"); !errors.Is(err, errUnreachable) {
		t.Error(err)
	}
}

// nobody is an observer.
type nobody struct{}

func (*nobody) TaskEnd(observe.TaskCall) {}
