package recycling

import (
	"fmt"
	"net/http"
	"time"
)

// Ready responds with 200 and "ready" while s serves, and otherwise with 503 and a line that says
// why not:
//
//	not ready: not serving yet
//	not ready: draining, 12.3 s left   Run drains; the time is that until the drain deadline
//	not ready: draining                Shutdown was called, or Run drains without a limit
//	not ready: closed                  Close was called, or Shutdown has returned nil
//
// It is a handler for the health checks of a load balancer. Another server may serve it too. The
// responses have no Retry-After, because s does not become ready again.
//
//	router.Get("/readyz", srv.Ready)
//
// See LameDuck for what happens when load balancers have noticed.
func (s *Server) Ready(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	why := s.notReadyLocked()
	if s.end.phase > open {
		s.end.checks++
	}
	b, lame := s.backend, s.end.lame
	s.mu.Unlock()
	if lame && b != nil && FromContext(r.Context()) == s {
		b.NotLate(r)
	}
	if why == "" {
		fmt.Fprintln(w, "ready")
	} else {
		http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
	}
}

// notReadyLocked returns why s is not ready, or "" if it is.
func (s *Server) notReadyLocked() string {
	switch e := &s.end; {
	case e.phase == closed:
		return "closed"
	case e.phase > open && e.deadline.IsZero():
		return "draining"
	case e.phase > open:
		return fmt.Sprintf("draining, %.1f s left", max(time.Until(e.deadline), 0).Seconds())
	case s.backend == nil || !s.serves:
		return "not serving yet"
	}
	return ""
}
