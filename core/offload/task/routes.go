package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Routes is a [Place] that runs each task at the place that its fields name. They must not be
// changed once Routes is in use; its methods may be called by several goroutines at once. Routes is
// also a [Manager] of those places that are Managers, even if [Observe] has wrapped them; the names
// of their groups should differ. Routes neither starts nor stops the places.
type Routes struct {
	// Tasks are the places of tasks, by the name of the task. A nil Place means Default.
	Tasks map[string]Place

	// Default is the place of all other tasks. Nil means that there is none: their callers get
	// [ErrUnknown].
	Default Place
}

// Do runs a job at its place: see [Place].
func (r Routes) Do(ctx context.Context, j *Job) error {
	p := r.Tasks[j.Name()]
	if p == nil {
		p = r.Default
	}
	if p == nil {
		return fmt.Errorf("%w: %s has no place in Routes", ErrUnknown, j.Name())
	}
	return p.Do(ctx, j)
}

// managers returns the places that are Managers, each once. Instead of Routes, it returns their
// places.
func (r Routes) managers() (all []Manager) {
	places := []Place{r.Default}
	for _, name := range slices.Sorted(maps.Keys(r.Tasks)) {
		places = append(places, r.Tasks[name])
	}
	for _, p := range places {
		for o, ok := p.(*observed); ok; o, ok = p.(*observed) {
			p = o.place
		}
		var found []Manager
		switch p := p.(type) {
		case Routes:
			found = p.managers()
		case *Routes:
			found = p.managers()
		case Manager:
			found = []Manager{p}
		}
		for _, m := range found {
			if !contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// contains reports whether m is in all. Places that cannot be compared are never the same.
func contains(all []Manager, m Manager) bool {
	return reflect.ValueOf(m).Comparable() && slices.ContainsFunc(all, func(other Manager) bool {
		return reflect.ValueOf(other).Comparable() && other == m
	})
}

// Groups returns the groups of all places, sorted by name, and joins the errors of the places whose
// groups are not known.
func (r Routes) Groups(ctx context.Context) (all []Group, err error) {
	var errs []error
	for _, m := range r.managers() {
		groups, err := m.Groups(ctx)
		all = append(all, groups...)
		errs = append(errs, err)
	}
	slices.SortStableFunc(all, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return all, errors.Join(errs...)
}

// Resize changes the number of workers of a group: see [Manager]. If several places have a group of
// that name, the error wraps [ErrGroup].
func (r Routes) Resize(ctx context.Context, group string, by int) (workers int, err error) {
	m, err := r.manager(ctx, group)
	if err != nil {
		return 0, err
	}
	return m.Resize(ctx, group, by)
}

// Restart replaces the workers of a group: see [Manager]. If several places have a group of that
// name, the error wraps [ErrGroup].
func (r Routes) Restart(ctx context.Context, group string) error {
	m, err := r.manager(ctx, group)
	if err != nil {
		return err
	}
	return m.Restart(ctx, group)
}

// manager returns the place that has a group.
func (r Routes) manager(ctx context.Context, group string) (found Manager, err error) {
	var errs []error
	for _, m := range r.managers() {
		groups, err := m.Groups(ctx)
		errs = append(errs, err)
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.Name == group }) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: several places have one named %q", ErrGroup, group)
		}
		found = m
	}
	if found != nil {
		return found, nil
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %q", ErrGroup, group)
}
