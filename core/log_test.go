package recycling_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// runPanicking runs s until a handler has panicked.
func runPanicking(t *testing.T, s *recycling.Server) {
	t.Helper()
	addr := make(chan net.Addr, 1)
	s.HTTP.Addr = "127.0.0.1:0"
	s.HTTP.BaseContext = func(l net.Listener) context.Context {
		addr <- l.Addr()
		return context.Background()
	}
	s.HTTP.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a handler's own") })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil) }()
	c := dialTo(t, receive(t, addr, "Run to listen"))
	c.send(get)
	c.ended()
	cancel()
	if err := receive(t, done, "Run"); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestLogGetsEverything(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		log := new(logBuffer)
		srv := new(http.Server)
		runPanicking(t, &recycling.Server{HTTP: srv, Strategy: m.strategy, Log: slog.New(slog.NewTextHandler(log, nil))})
		for _, want := range []string{
			`level=INFO msg="recycling: serving" addr=127.0.0.1:`, `level=ERROR msg="http: panic serving`, `level=INFO msg="recycling: drained"`,
		} {
			if got := strings.Count(log.String(), want); got != 1 {
				t.Errorf("Log has %d times %q:\n%s", got, want, log)
			}
		}
	})
}

func TestErrorLogGetsErrorsBesideLog(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		log := new(logBuffer)
		srv, errs := logging()
		runPanicking(t, &recycling.Server{HTTP: srv, Strategy: m.strategy, Log: slog.New(slog.NewTextHandler(log, nil))})
		if strings.Contains(log.String(), "panic") || !strings.Contains(log.String(), "recycling: drained") {
			t.Errorf("Log has, beside an ErrorLog,\n%s", log)
		}
		if !strings.Contains(errs.String(), "http: panic serving") {
			t.Errorf("ErrorLog has\n%s", errs)
		}
	})
}

func TestLogGetsInvalidSettingsOfUse(t *testing.T) {
	parallel(t)
	log := new(logBuffer)
	srv := &http.Server{Addr: "127.0.0.1:0"}
	recycling.Use(srv, func(s *recycling.Server) {
		s.Log, s.Strategy = slog.New(slog.NewTextHandler(log, nil)), "none"
	})
	if err := srv.ListenAndServe(); err == nil {
		t.Error("ListenAndServe returned nil")
	}
	if !strings.Contains(log.String(), `Server.Strategy is \"none\"`) {
		t.Errorf("Log has\n%s", log)
	}
}

func TestServingIsLoggedOnlyIfItServesAndOnlyByRun(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		log := new(logBuffer)
		s := &recycling.Server{HTTP: &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(hello)}, Strategy: m.strategy, Log: slog.New(slog.NewTextHandler(log, nil))}
		if err := s.Run(t.Context(), func() error { return s.ListenAndServeTLS("no", "no") }); err == nil {
			t.Error("Run returned nil without a certificate")
		}
		l, err := listenNet()
		if err != nil {
			t.Fatal(err)
		}
		i := serve(s, l)
		i.once(t, "/")
		s.Close()
		i.ended(t, http.ErrServerClosed)
		if strings.Contains(log.String(), "serving") {
			t.Errorf("Log has\n%s", log)
		}
	})
}
