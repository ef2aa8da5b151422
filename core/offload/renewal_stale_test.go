package offload_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// A version is a resource that was built from what the configuration was when Open was called.
type version struct {
	n      int64
	broken bool // it has failed before it was ready
}

// A shelf builds versions, each in a second.
type shelf struct {
	current atomic.Int64
	breaks  atomic.Bool // the next one fails while it is built
}

func newShelf(t *testing.T, c offload.Config) (*shelf, *offload.Resources[version]) {
	t.Helper()
	s := &shelf{}
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[version]{
		Config: c,
		Open: func(_ context.Context, failed func(error)) (version, error) {
			v := version{s.current.Load(), s.breaks.Swap(false)}
			time.Sleep(time.Second)
			if v.broken {
				failed(errors.New("before it was ready"))
			}
			return v, nil
		},
		Failed: func(error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		<-r.Done()
	})
	return s, r
}

func (s *shelf) use(t *testing.T, r *offload.Resources[version]) {
	t.Helper()
	v, err := offload.Use(context.Background(), r, func(_ context.Context, v version) (version, error) { return v, nil })
	if err != nil || v.n != s.current.Load() || v.broken {
		t.Errorf("used is %+v, %v, want version %d", v, err, s.current.Load())
	}
}

// What was built before Restart was called, from an older configuration, is not used after it, be
// it ready or not.
func TestRestartUsesNothingThatIsOlder(t *testing.T) {
	for _, when := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s, r := newShelf(t, offload.Config{Workers: 1})
			go offload.Use(context.Background(), r, func(context.Context, version) (int, error) { time.Sleep(time.Minute); return 0, nil })
			synctest.Wait()
			first := make(chan error, 1)
			s.current.Add(1)
			go func() { first <- r.Restart(context.Background()) }()
			time.Sleep(when)
			s.current.Add(1)
			if err := r.Restart(context.Background()); err != nil {
				t.Error(err)
			}
			if err := <-first; err != nil {
				t.Error(err)
			}
			s.use(t, r)
			if st := r.Stats(); st.Replaced != 1 || st.Opened != 3 {
				t.Errorf("%+v, want one replaced, and one opened in vain", st)
			}
		})
	}
}

// A worker that was added, and whose resource is being built from an older configuration.
func TestRestartReplacesWhatIsBeingBuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShelf(t, offload.Config{Workers: 1})
		r.Resize(1)
		time.Sleep(500 * time.Millisecond)
		s.current.Add(1)
		if err := r.Restart(context.Background()); err != nil {
			t.Error(err)
		}
		hold := make(chan struct{})
		go offload.Use(context.Background(), r, func(context.Context, version) (int, error) { <-hold; return 0, nil })
		synctest.Wait()
		s.use(t, r) // with the other worker
		close(hold)
		synctest.Wait()
		s.use(t, r)
		if st := r.Stats(); st.Replaced != 2 || st.Idle != 2 {
			t.Errorf("%+v", st)
		}
	})
}

func TestSpareThatFailsWhileItIsBuiltIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShelf(t, offload.Config{Workers: 1})
		s.breaks.Store(true)
		if err := r.Restart(context.Background()); err != nil {
			t.Error(err)
		}
		s.use(t, r)
		if st := r.Stats(); st.Failed != 1 || st.Replaced != 1 || st.Opened != 3 {
			t.Errorf("%+v", st)
		}
	})
}

// The only resource has failed, and is being built from an older configuration.
func TestRestartReplacesWhatIsBeingBuiltAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShelf(t, offload.Config{Workers: 1})
		s.use(t, r)
		offload.Use(context.Background(), r, func(context.Context, version) (int, error) { return 0, offload.ErrBroken })
		time.Sleep(500 * time.Millisecond)
		s.current.Add(1)
		start := time.Now()
		if err := r.Restart(context.Background()); err != nil || time.Since(start) != 1500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		s.use(t, r)
	})
}
