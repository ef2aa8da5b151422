//go:build !go1.27

package gohttp

import "net/http"

// These are described in go127.go.
const (
	LateBodyIsRefused = false
	CopyStopsAtLength = false
	StateMeansTLS     = false
)

// MaxHeaderValues returns 0: there is no limit.
func MaxHeaderValues(*http.Server) int { return 0 }

// Protocols returns s.Protocols; nil means the default.
func Protocols(s *http.Server) *http.Protocols { return s.Protocols }

// SetMaxHeaderValues does nothing.
func SetMaxHeaderValues(*http.Server, int) {}
