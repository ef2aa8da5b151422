package recycling_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// serveOne serves one request with the fields of s, and returns the counters afterwards.
func serveOne(t testing.TB, s *recycling.Server) recycling.Stats {
	t.Helper()
	l, err := listenOwn()
	if err != nil {
		t.Fatal(err)
	}
	in := serve(s, l)
	defer in.ended(t, http.ErrServerClosed)
	defer in.Close()
	in.dial(t).get("/")
	return s.Stats()
}

func answering() *http.Server { return &http.Server{Handler: http.HandlerFunc(hello)} }

func TestBadSettingsAreErrorsThatNameThem(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  [2]string
		s    *recycling.Server
		want []string
	}{
		{"strategy from the environment", [2]string{recycling.EnvStrategy, "threads"}, &recycling.Server{}, []string{"RECYCLING_STRATEGY", `"threads"`}},
		{"standby from the environment", [2]string{recycling.EnvStandby, "many"}, &recycling.Server{}, []string{"RECYCLING_STANDBY", `"many"`}},
		{"zero standby from the environment", [2]string{recycling.EnvStandby, "0"}, &recycling.Server{}, []string{"RECYCLING_STANDBY", `"0"`}},
		{"workers from the environment", [2]string{recycling.EnvMaxWorkers, "-3"}, &recycling.Server{}, []string{"RECYCLING_MAX_WORKERS", `"-3"`}},
		{"too many workers from the environment", [2]string{recycling.EnvMaxWorkers, "99999999999999999999"}, &recycling.Server{}, []string{"RECYCLING_MAX_WORKERS", `"99999999999999999999"`}},
		{"strategy", [2]string{}, &recycling.Server{Strategy: "threads"}, []string{"Server.Strategy", `"threads"`}},
		{"health path", [2]string{}, &recycling.Server{HealthPath: "healthz"}, []string{"Server.HealthPath", `"healthz"`}},
		{"more standby than workers", [2]string{}, &recycling.Server{Standby: 7, Limits: recycling.Limits{MaxWorkers: 5}}, []string{"Standby", "7", "MaxWorkers", "5"}},
		{"more standby than workers from the environment", [2]string{recycling.EnvMaxWorkers, "5"}, &recycling.Server{Standby: 7}, []string{"Server.Standby", "7", "RECYCLING_MAX_WORKERS", "5"}},
		{"more standby from the environment than workers", [2]string{recycling.EnvStandby, "7"}, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 5}}, []string{"RECYCLING_STANDBY", "7", "Server.MaxWorkers", "5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			s := tt.s
			check := func(call string, err error) {
				if err == nil {
					t.Errorf("%s returned no error", call)
					return
				}
				for _, want := range append(tt.want, "recycling: ") {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s returned %q, which does not say %s", call, err, want)
					}
				}
			}
			check("ListenAndServe", s.ListenAndServe())
			check("Run", s.Run(context.Background(), nil))
			l, err := listenOwn()
			if err != nil {
				t.Fatal(err)
			}
			check("Serve", s.Serve(l))
		})
	}
}

func TestSettingsComeFromTheEnvironment(t *testing.T) {
	for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed, recycling.Goroutine} {
		t.Setenv(recycling.EnvStrategy, string(strategy))
		if st := serveOne(t, &recycling.Server{HTTP: answering()}); st.Strategy != strategy {
			t.Errorf("strategy %q, want %q", st.Strategy, strategy)
		}
	}
	t.Setenv(recycling.EnvStrategy, "pool") // the former name of Fixed
	if st := serveOne(t, &recycling.Server{HTTP: answering()}); st.Strategy != recycling.Fixed {
		t.Errorf("strategy %q, want %q", st.Strategy, recycling.Fixed)
	}
	t.Setenv(recycling.EnvMaxWorkers, "3")
	t.Setenv(recycling.EnvStandby, "2")
	if st := serveOne(t, &recycling.Server{HTTP: answering()}); st.Limits.MaxWorkers != 3 {
		t.Errorf("%+v, want 3 workers", st)
	}
}

func TestFieldsWinOverTheEnvironment(t *testing.T) {
	t.Setenv(recycling.EnvStrategy, "no such strategy")
	t.Setenv(recycling.EnvMaxWorkers, "no number")
	t.Setenv(recycling.EnvStandby, "no number")
	st := serveOne(t, &recycling.Server{HTTP: answering(), Strategy: recycling.Fixed, Limits: recycling.Limits{MaxWorkers: 4}, Standby: 1})
	if st.Strategy != recycling.Fixed || st.Limits.MaxWorkers != 4 {
		t.Errorf("%+v", st)
	}
}

func TestNoSettingsMeansRecycling(t *testing.T) {
	t.Setenv(recycling.EnvStrategy, "")
	if st := serveOne(t, &recycling.Server{HTTP: answering()}); st.Strategy != recycling.Recycling {
		t.Errorf("%+v", st)
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	parallel(t)
	l, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := recycling.New(nil, recycling.Addr(l.Addr().String()))
	for call, err := range map[string]error{"ListenAndServe": s.ListenAndServe(), "Run": s.Run(context.Background(), nil)} {
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("%s returned %v", call, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestABadAddressIsNamed(t *testing.T) {
	parallel(t)
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:99999", "127.0.0.1:no-such-service"} {
		err := recycling.New(nil, recycling.Addr(addr)).ListenAndServe()
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(addr, "127.0.0.1:")) {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestNewChoosesTheAddress(t *testing.T) {
	t.Setenv("PORT", "")
	if s := recycling.New(nil); s.HTTP.Addr != ":8080" {
		t.Errorf("Addr is %q", s.HTTP.Addr)
	}
	t.Setenv("PORT", "1234")
	if s := recycling.New(nil); s.HTTP.Addr != ":1234" {
		t.Errorf("Addr is %q with $PORT", s.HTTP.Addr)
	}
	if s := recycling.New(nil, recycling.Addr("[::1]:1")); s.HTTP.Addr != "[::1]:1" {
		t.Errorf("Addr is %q with option and $PORT", s.HTTP.Addr)
	}
	for _, port := range []string{"http", "-1", "65536", "80 ", ":80"} {
		t.Setenv("PORT", port)
		for call, err := range map[string]error{
			"Run":               recycling.New(nil).Run(t.Context(), nil),
			"ListenAndServe":    recycling.New(nil).ListenAndServe(),
			"ListenAndServeTLS": recycling.New(nil).ListenAndServeTLS("", ""),
		} {
			if err == nil || !strings.Contains(err.Error(), "PORT") || !strings.Contains(err.Error(), strconv.Quote(port)) {
				t.Errorf("%s with $PORT %q returned %v, want an error that names both", call, port, err)
			}
		}
	}
}

func TestOptionMaySetTheHTTPServer(t *testing.T) {
	h := http.NotFoundHandler()
	own := &http.Server{}
	if s := recycling.New(h, func(s *recycling.Server) { s.HTTP = own }); s.HTTP != own || own.Handler == nil {
		t.Errorf("HTTP is %p, want %p; its handler is %v", s.HTTP, own, own.Handler)
	}
	if s := recycling.New(h, func(s *recycling.Server) { s.HTTP = nil }); s.HTTP == nil || s.HTTP.Handler == nil {
		t.Error("the handler was lost")
	}
}

func TestSetKeepAlivesEnabledStartsNothing(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		srv := &recycling.Server{HealthPath: "health"} // which no server starts with
		srv.SetKeepAlivesEnabled(false)
		srv.HealthPath = ""
		s := m.start(t, srv, hello)
		c := s.dial(t)
		c.send(get)
		if res, _ := c.response(); !res.Close {
			t.Error("answer without Connection: close")
		}
		c.ended()
	})
}

var registerDefault = sync.OnceFunc(func() {
	http.HandleFunc("/default-mux", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "default") })
})

func TestNilHandlerMeansTheDefaultServeMux(t *testing.T) {
	parallel(t)
	registerDefault()
	for _, m := range everyMode {
		for _, s := range []*recycling.Server{{}, {HTTP: &http.Server{}}, recycling.New(nil)} {
			l, err := m.listen()
			if err != nil {
				t.Fatal(err)
			}
			s.Strategy = m.strategy
			in := serve(s, l)
			if body := in.once(t, "/default-mux"); body != "default" {
				t.Errorf("%s: answer %q", m.name, body)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			in.ended(t, http.ErrServerClosed)
		}
	}
}

func TestFromContextIsTheServer(t *testing.T) {
	parallel(t)
	if s := recycling.FromContext(context.Background()); s != nil {
		t.Errorf("Background has the server %v", s)
	}
	forEach(t, everyMode, func(t *testing.T, m mode) {
		got := make(chan *recycling.Server, 1)
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			got <- recycling.FromContext(r.Context())
		})
		s.once(t, "/")
		if g := receive(t, got, "the handler"); g != s.Server {
			t.Errorf("got %p, want %p", g, s.Server)
		}
	})
}

func TestDescriptorsAreKeptForTheApplication(t *testing.T) {
	parallel(t)
	for n, want := range map[int]int{1: 0, 20: 10, 64: 32, 100: 32, 256: 64, 1024: 256, 4096: 1024, 16384: 1024, 65536: 4096, 1 << 20: 65536} {
		if got := recycling.KeptDescriptors(n); got != want {
			t.Errorf("%d of %d, want %d", got, n, want)
		}
	}
}
