package longrun

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"

	"github.com/recycling-go/recycling/bench/internal/places"
	offloadtask "github.com/recycling-go/recycling/core/offload/task"
)

// A job is the input of the task that runs in the places.
type job struct {
	Task  string
	Setup setup
}

// Register adds the task that runs in the places to a set.
func Register(set *offloadtask.Set) { register(set) }

func register(set *offloadtask.Set) *offloadtask.Task[job, struct{}] {
	return offloadtask.Register(set, "longrun", func(ctx context.Context, j job) (none struct{}, err error) {
		w, err := workerFor(j.Setup)
		if err != nil {
			return none, err
		}
		t, err := taskNamed(j.Task)
		if err != nil {
			return none, err
		}
		return none, t.do(w, ctx)
	}, offloadtask.Options{Idempotent: true})
}

// workers are those of this process, by the JSON of their setup.
var workers struct {
	sync.Mutex
	by map[string]*worker
}

// workerFor returns the worker for a setup. If that has no site, because it could not be reached
// from here, the worker has one of its own, in this process.
func workerFor(s setup) (*worker, error) {
	key, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	workers.Lock()
	defer workers.Unlock()
	if w := workers.by[string(key)]; w != nil {
		return w, nil
	}
	if s.Site.HTTP == "" {
		if s.Site, err = openSite(s.Latency); err != nil {
			return nil, err
		}
	}
	w, err := newWorker(s)
	if err != nil {
		return nil, err
	}
	if workers.by == nil {
		workers.by = map[string]*worker{}
	}
	workers.by[string(key)] = w
	return w, nil
}

// placeNamed returns the place of a server that runs its task there.
func placeNamed(name string) (p places.Place, ok bool) {
	i := slices.IndexFunc(places.All, func(p places.Place) bool { return p.Name == name })
	if i < 0 {
		return p, false
	}
	return places.All[i], true
}

// inPlace returns a handler that runs the task in a place, and sets s.release.
func (s *contestant) inPlace(ctx context.Context, p places.Place, t task, w *worker, c Config) (http.Handler, error) {
	var set offloadtask.Set
	call := register(&set)
	b := bounds(c)
	o, err := p.Open(ctx, places.Config{Tasks: &set, Workers: b.Workers, Queue: b.Queue, Wait: b.Wait})
	if err != nil {
		return nil, err
	}
	s.release = o.Close
	j := job{Task: t.name, Setup: w.setup}
	if p.Name == places.Hosts.Name { // which do not reach the network of this machine
		j.Setup.Site, j.Setup.Latency = site{}, c.Latency
	}
	return answer(func(ctx context.Context) error {
		_, err := call.Do(ctx, o, j)
		return err
	}), nil
}
