package recycling_test

import (
	"context"
	"fmt"
	stdlog "log"
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

// An announcing server begins to serve l in one of the ways that an application may choose.
var announcing = map[string]func(t *testing.T, s *recycling.Server, l net.Listener){
	"Serve": func(t *testing.T, s *recycling.Server, l net.Listener) { go s.Serve(l) },
	"Run": func(t *testing.T, s *recycling.Server, l net.Listener) {
		go s.Run(context.Background(), func() error { return s.Serve(l) })
	},
	"Use": func(t *testing.T, s *recycling.Server, l net.Listener) { go s.HTTP.Serve(l) },
	"Listener": func(t *testing.T, s *recycling.Server, l net.Listener) {
		hosted, err := s.Listener(l)
		if err != nil {
			t.Fatal(err)
		}
		go s.HTTP.Serve(hosted)
	},
}

func TestServingIsLoggedAtTheFirstListener(t *testing.T) {
	parallel(t)
	for way, serve := range announcing {
		t.Run(way, func(t *testing.T) {
			forEach(t, []mode{recyclingOwn, recyclingWrapped, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
				log := new(logBuffer)
				s := &recycling.Server{
					HTTP: &http.Server{Handler: http.HandlerFunc(hello)}, Strategy: m.strategy, Log: slog.New(slog.NewTextHandler(log, nil)),
				}
				if way == "Use" {
					s = recycling.Use(s.HTTP, func(u *recycling.Server) { u.Strategy, u.Log = s.Strategy, s.Log })
				}
				t.Cleanup(func() { end(t, s) })
				var addrs []net.Addr
				for range 2 {
					l, err := m.listen()
					if err != nil {
						t.Fatal(err)
					}
					addrs = append(addrs, l.Addr())
					serve(t, s, l)
					c := dialTo(t, l.Addr())
					c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
					c.response()
				}
				want := fmt.Sprintf(`level=INFO msg="recycling: serving" addr=%v strategy=%s `, addrs[0], m.strategy)
				if got := log.String(); strings.Count(got, "serving") != 1 || !strings.Contains(got, want) || !strings.Contains(got, " version=v") {
					t.Errorf("Log has\n%swant one line with %s", got, want)
				}
			})
		})
	}
}

func TestServingIsNotLoggedIfNothingIsServed(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		log := new(logBuffer)
		s := &recycling.Server{HTTP: &http.Server{Addr: "127.0.0.1:0"}, Strategy: m.strategy, Log: slog.New(slog.NewTextHandler(log, nil))}
		if err := s.Run(t.Context(), func() error { return s.ListenAndServeTLS("no", "no") }); err == nil {
			t.Error("Run returned nil without a certificate")
		}
		if got := log.String(); got != "" {
			t.Errorf("Log has\n%s", got)
		}
	})
}

func TestLogOfAHigherLevelGetsOnlyErrors(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		log := new(logBuffer)
		h := slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})
		runPanicking(t, &recycling.Server{HTTP: new(http.Server), Strategy: m.strategy, Log: slog.New(h)})
		if got := log.String(); strings.Count(got, "level=") != 1 || !strings.Contains(got, "http: panic serving") {
			t.Errorf("Log has\n%s", got)
		}
	})
}

// This test changes the default logger of the process, so it does not run in parallel.
func TestEventsGoToTheDefaultLogger(t *testing.T) {
	logger, flags, out := slog.Default(), stdlog.Flags(), stdlog.Writer()
	log := new(logBuffer)
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	defer func() {
		slog.SetDefault(logger)
		stdlog.SetFlags(flags)
		stdlog.SetOutput(out)
	}()
	s := overloaded(t, recyclingWrapped, &recycling.Server{HTTP: quiet(), Limits: recycling.Limits{QueueWait: -1}})
	c := s.dial(t)
	c.send(get)
	c.refused()
	for _, want := range []string{"level=INFO msg=\"recycling: serving\"", "level=WARN msg=\"recycling: refusing connections\""} {
		if !holds(func() bool { return strings.Contains(log.String(), want) }) {
			t.Errorf("the default logger has\n%swant %s", log, want)
		}
	}
}

func TestTLSErrorsAreLimited(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingWrapped, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		const many, limit = 130, 100
		h, log := logging()
		s := m.startTLS(t, &recycling.Server{HTTP: h}, hello)
		for range many {
			c := s.dial(t)
			c.send("garbage and more of it\r\n")
			c.ended()
		}
		s.await(t, "all to be closed", func(st recycling.Stats) bool { return st.Closed == many })
		s.Close()
		want, suppressed := limit, fmt.Sprintf("http: TLS handshake error: suppressed %d more lines of this kind\n", many-limit)
		if m.strategy == recycling.Goroutine {
			want, suppressed = many, ""
		}
		holds(func() bool { return strings.Contains(log.String(), suppressed) })
		got := log.String()
		if n := strings.Count(got, "http: TLS handshake error from "); n != want || !strings.HasSuffix(got, suppressed) {
			t.Errorf("%d errors are logged, want %d; the last line is %q, want %q", n, want, got[strings.LastIndex(got[:len(got)-1], "\n")+1:], suppressed)
		}
	})
}
