package recycling

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// log returns the logger of s's events.
func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// logEvent writes a line to s's log. The log's handler is the application's, and may block, panic
// or end the goroutine.
func (s *Server) logEvent(level slog.Level, msg string, args ...any) {
	s.log().Log(context.Background(), level, msg, args...)
}

// logStart logs that s begins to serve l, if l is its first listener. It waits until that is
// logged, so that the line comes before others, but no longer than logPatience.
func (s *Server) logStart(l net.Listener) {
	s.mu.Lock()
	announced, set := s.announced, s.settings
	s.announced = true
	s.mu.Unlock()
	if announced {
		return
	}
	written := make(chan struct{})
	go s.writeStart(l, set, written)
	t := time.NewTimer(logPatience)
	defer t.Stop()
	select {
	case <-written:
	case <-t.C:
	}
}

// logPatience is how long serving waits for the line that announces it.
const logPatience = 250 * time.Millisecond

// writeStart writes the line of logStart, and then closes written.
func (s *Server) writeStart(l net.Listener, set settings, written chan<- struct{}) {
	defer close(written)
	defer func() { recover() }() // a panic of the log cannot be reported anywhere
	s.logEvent(slog.LevelInfo, "recycling: serving", "addr", fmt.Sprint(l.Addr()), "strategy", set.strategy,
		"standby", max(set.standby, 0), "version", version())
}
