package recycling

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// This file has what Run does with a Server that has been told to stop.

// Times of draining that no setting changes.
const (
	quietPart     = 5                      // LameDuck/quietPart without requests ends LameDuck
	minQuiet      = time.Second            // the least time without requests that does
	quietTicks    = 4                      // how often that is checked meanwhile
	noticedChecks = 3                      // how many failed checks most load balancers wait for
	slowDrain     = 5 * time.Second        // after that, Run logs what it waits for
	hookGrace     = 250 * time.Millisecond // for OnDrain to notice that its context has ended
)

// drain ends s after the context of Run has ended. served gets the result of serve.
func (s *Server) drain(served <-chan error) error {
	d := drainer{Server: s, begun: time.Now()}
	s.announce()
	defer s.endHook()
	if s.LameDuck > 0 {
		if err, ended := s.lameDuck(served); ended {
			if !errors.Is(err, http.ErrServerClosed) || s.wasCut() {
				return err
			}
			return d.run() // Shutdown was called
		}
	}
	err := d.run()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// wasCut reports whether Close was called.
func (s *Server) wasCut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end.cut
}

// announce makes Ready report 503, responses say "Connection: close", and draining begin.
func (s *Server) announce() {
	limit := s.drainLimit()
	s.mu.Lock()
	s.end.lame = true
	if s.backend != nil {
		s.backend.SetLame()
	}
	s.mu.Unlock()
	s.setDeadline(limit)
	s.advance(draining, limit)
}

// setDeadline sets the drain deadline; a negative limit means none.
func (s *Server) setDeadline(limit time.Duration) {
	if limit < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end.deadline = time.Now().Add(limit)
}

// lameDuck waits until LameDuck has passed, or until load balancers have noticed. If serve returns
// before that, so does lameDuck, with its error.
func (s *Server) lameDuck(served <-chan error) (err error, ended bool) {
	end := time.NewTimer(s.LameDuck)
	defer end.Stop()
	tick := time.NewTicker(max(s.LameDuck/quietPart, minQuiet) / quietTicks)
	defer tick.Stop()
	var last int64
	noticed := false
	for quiet := 0; quiet < quietTicks; {
		select {
		case err := <-served:
			return err, true
		case <-end.C:
			return nil, false
		case <-tick.C:
		}
		n, now := s.late()
		if quiet++; !noticed || !now || n != last {
			quiet = 0
		}
		last, noticed = n, now
	}
	return nil, false
}

// late returns a number that changes with every request, and whether load balancers have probably
// noticed the end. It returns false if there may be requests that are not counted.
func (s *Server) late() (n int64, noticed bool) {
	s.mu.Lock()
	b, checks := s.backend, s.end.checks
	s.mu.Unlock()
	if b == nil {
		return 0, false
	}
	n, unseen := b.Late()
	return n, checks >= noticedChecks && !unseen
}

// A drainer does the part of draining that DrainTimeout bounds.
type drainer struct {
	*Server
	begun time.Time // when Run was told to stop
}

// run waits until everything has ended, or until the drain deadline, and then abandons what is
// left.
func (d drainer) run() error {
	limit := d.drainTimeout()
	d.setDeadline(limit) // LameDuck may have been skipped
	ctx, cancel := withLimit(limit)
	defer cancel()
	over, logged := make(chan struct{}), make(chan struct{})
	go d.logWaiting(over, logged)

	before := d.Stats()
	err := d.Shutdown(ctx)
	abandoned := int64(0)
	if err != nil {
		abandoned = d.Stats().Open
		err = errors.Join(err, d.Close())
	}
	hijacked := d.awaitHijacked(ctx)
	hookErr := d.awaitHook(ctx)
	close(over)
	<-logged

	args := []any{"connections", before.Open - abandoned, "abandoned", abandoned}
	if abandoned == 0 && hijacked == 0 && hookErr == nil {
		d.log().Info("recycling: drained", args...)
		return err
	}
	args = append(args, "hijacked", hijacked, "hook", hookErr != nil, "after", time.Since(d.begun).Round(time.Millisecond))
	d.log().Warn("recycling: drained", args...)
	return errors.Join(abandonedHijacked(err, hijacked), hookErr)
}

// abandonedHijacked returns err, the result of draining so far, with the information that n
// handlers of hijacked connections are left.
func abandonedHijacked(err error, n int) error {
	if n == 0 {
		return err
	}
	if a := (*AbandonError)(nil); errors.As(err, &a) {
		a.Hijacked = n
		return err
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(err, context.DeadlineExceeded)
	}
	return errors.Join(err, &AbandonError{Hijacked: n})
}

// awaitHijacked waits until all handlers of hijacked connections have returned, or until ctx ends,
// and returns how many are left.
func (d drainer) awaitHijacked(ctx context.Context) int {
	d.mu.Lock()
	b := d.backend
	d.mu.Unlock()
	return b.AwaitHijacked(ctx)
}

// hookReturned returns a channel that is closed when OnDrain has returned; nil if it was not
// called.
func (d drainer) hookReturned() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.end.hook
}

// errHook is a timeout of OnDrain.
var errHook = errors.Join(context.DeadlineExceeded, errors.New("recycling: OnDrain has not returned"))

// awaitHook waits until OnDrain has returned, or until ctx has ended and OnDrain has had a moment
// to notice.
func (d drainer) awaitHook(ctx context.Context) error {
	returned := d.hookReturned()
	if returned == nil {
		return nil
	}
	select {
	case <-returned:
		return nil
	case <-ctx.Done():
	}
	d.endHook()
	t := time.NewTimer(hookGrace)
	defer t.Stop()
	select {
	case <-returned:
		return nil
	case <-t.C:
		return errHook
	}
}

// logWaiting logs what Run waits for, first after slowDrain and then at intervals that double,
// until over is closed. Then it closes logged.
func (d drainer) logWaiting(over <-chan struct{}, logged chan<- struct{}) {
	defer close(logged)
	for wait := slowDrain; ; wait *= 2 {
		t := time.NewTimer(wait)
		select {
		case <-over:
			t.Stop()
			return
		case <-t.C:
		}
		st := d.Stats() // each open connection has a request, since the others were closed
		func() {
			defer func() { recover() }() // a panic of the log must not end the process
			d.logEvent(slog.LevelInfo, "recycling: draining", "requests", st.Open, "hijacked", st.HijackedBusy,
				"hook", d.hookRuns(), "after", time.Since(d.begun).Round(time.Millisecond))
		}()
	}
}

// hookRuns reports whether OnDrain was called and has not returned.
func (d drainer) hookRuns() bool {
	returned := d.hookReturned()
	if returned == nil {
		return false
	}
	select {
	case <-returned:
		return false
	default:
		return true
	}
}
