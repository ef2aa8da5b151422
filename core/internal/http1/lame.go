package http1

import (
	"net/http"
	"strings"
)

// This file is about the time between the announcement of the end and the end.

// SetLame makes every connection end after its next response. Idle connections stay open, so that
// no request is lost.
func (s *Server) SetLame() { s.lame.Store(true) }

// Late returns a number that changes with every request that arrives after SetLame and is not a
// health check. Health checks are the requests for Limits.HealthPath and those passed to NotLate.
func (s *Server) Late() int64 { return s.late.Load() }

// countLate counts a request that a handler is about to get after SetLame.
func (s *Server) countLate(r *http.Request) {
	if !s.forHealthPath(r) {
		s.late.Add(1)
	}
}

// NotLate is called by the handler of r, a request over HTTP/1, if it is a health check.
func (s *Server) NotLate(r *http.Request) {
	if !s.forHealthPath(r) {
		s.late.Add(-1)
	}
}

// forHealthPath reports whether r is for Limits.HealthPath. It looks at the RequestURI because
// middleware changes the URL.
func (s *Server) forHealthPath(r *http.Request) bool {
	if s.Limits.HealthPath == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path == s.Limits.HealthPath
}
