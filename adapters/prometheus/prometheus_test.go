package recyclingprometheus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/recyclingtest"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

const patience = 10 * time.Second

// eachStrategy runs f under every strategy, or under the one that the environment names.
func eachStrategy(t *testing.T, f func(*testing.T, recycling.Strategy)) {
	strategies := []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}
	if name := os.Getenv(recycling.EnvStrategy); name != "" {
		strategies = []recycling.Strategy{recycling.Strategy(name)}
	}
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) { f(t, strategy) })
	}
}

// serve starts srv on a loopback port until the test ends, and returns its URL.
func serve(t *testing.T, srv *recycling.Server) string {
	t.Helper()
	in := recyclingtest.Serve(srv, recyclingtest.Loopback(t))
	t.Cleanup(func() {
		in.Close()
		<-in.Served
	})
	return "http://" + in.Addr.String()
}

// get requests a URL, and returns the body of the response.
func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func newClient(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// await waits until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// newMux returns a handler that registers nothing by itself.
func newMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/fail", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/routed/", func(_ http.ResponseWriter, r *http.Request) { observe.SetRoute(r.Context(), "/users/{id}") })
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	return mux
}

func TestMetricsOfAServer(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		reg := prometheus.NewPedanticRegistry()
		srv := recycling.New(newMux(), MustRegister(reg), func(s *recycling.Server) {
			s.Strategy = strategy
			s.MaxConns, s.MaxWorkers, s.MaxQueue = 1000, 100, -1
		})
		if _, ok := series(t, reg, "recycling_build_info"); ok {
			t.Error("there is build information before the Server serves")
		}
		url := serve(t, srv)
		c := newClient(t)
		for range 3 {
			get(t, c, url+"/hello/you")
		}
		get(t, c, url+"/fail")
		get(t, c, url+"/nowhere")
		get(t, c, url+"/routed/7")
		if _, err := newClient(t).Get(url + "/abort"); err == nil { // no request on a new connection is repeated
			t.Error("a handler that aborts has sent a response")
		}
		await(t, "the requests to end", func() bool {
			n, _ := series(t, reg, "recycling_requests_total", "outcome", "completed")
			a, _ := series(t, reg, "recycling_requests_total", "outcome", "aborted")
			return n == 6 && a == 1
		})
		tests := []struct {
			want   float64
			name   string
			labels []string
		}{
			{3, "recycling_request_duration_seconds", []string{"method", "GET", "route", "/hello/{name}", "status", "2xx"}},
			{3, "recycling_request_first_byte_seconds", []string{"method", "GET", "route", "/hello/{name}", "status", "2xx"}},
			{1, "recycling_request_duration_seconds", []string{"method", "GET", "route", "/fail", "status", "5xx"}},
			{1, "recycling_request_duration_seconds", []string{"method", "GET", "route", "/users/{id}", "status", "2xx"}},
			{1, "recycling_request_duration_seconds", []string{"method", "GET", "route", "none", "status", "4xx"}},
			{1, "recycling_request_duration_seconds", []string{"route", "/abort", "status", "none"}},
			{0, "recycling_requests_in_flight", nil},
			{0, "recycling_requests_total", []string{"outcome", "hijacked"}},
			{2, "recycling_connections_accepted_total", nil},
			{0, "recycling_connections_refused_total", []string{"reason", "MaxConnsPerIP"}},
			{0, "recycling_connections_evicted_total", []string{"reason", "descriptors"}},
			{1, "recycling_build_info", []string{"strategy", string(strategy), "version", srv.Stats().Version}},
		}
		limits := []float64{1000, 100, math.Inf(1), 10}
		if strategy == recycling.Goroutine {
			limits = []float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}
		}
		for i, name := range []string{"MaxConns", "MaxWorkers", "MaxQueue", "QueueWait"} {
			metric := "recycling_limit"
			if name == "QueueWait" {
				metric = "recycling_limit_seconds"
			}
			tests = append(tests, struct {
				want   float64
				name   string
				labels []string
			}{limits[i], metric, []string{"limit", name}})
		}
		for _, test := range tests {
			if got, ok := series(t, reg, test.name, test.labels...); !ok || got != test.want {
				t.Errorf("%s %v is %v (%v), want %v", test.name, test.labels, got, ok, test.want)
			}
		}
		open, _ := series(t, reg, "recycling_connections_open")
		ratio, _ := series(t, reg, "recycling_utilization_ratio", "limit", "MaxConns")
		if strategy != recycling.Goroutine && math.Abs(ratio-open/1000) > 0.002 {
			t.Errorf("MaxConns is in use to %v, with %v of 1000 connections", ratio, open)
		}
	})
}

func TestMetricsOfHTTP2(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		reg := prometheus.NewPedanticRegistry()
		srv := recycling.New(newMux(), MustRegister(reg), func(s *recycling.Server) {
			s.Strategy = strategy
			s.HTTP.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		})
		l := recyclingtest.Loopback(t)
		served := make(chan error, 1)
		go func() { served <- srv.ServeTLS(l, "", "") }()
		defer func() {
			srv.Close()
			<-served
		}()
		tr := &http.Transport{
			ForceAttemptHTTP2: true,
			TLSClientConfig:   &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"},
		}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr, Timeout: patience}).Get("https://" + l.Addr().String() + "/hello/you")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("the response is of %s", resp.Proto)
		}
		await(t, "the request", func() bool {
			n, _ := series(t, reg, "recycling_request_duration_seconds", "route", "/hello/{name}", "status", "2xx")
			return n == 1
		})
	})
}

func TestRefusedConnectionsHaveAReason(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	srv := &recycling.Server{HTTP: &http.Server{Handler: newMux()}, Strategy: recycling.Recycling, Limits: recycling.Limits{MaxConnsPerIP: 1}}
	if err := Register(reg, srv); err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(serve(t, srv), "http://")
	c := newClient(t)
	get(t, c, "http://"+addr+"/hello/you") // stays open
	second, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	fmt.Fprint(second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if b, _ := io.ReadAll(second); !strings.HasPrefix(string(b), "HTTP/1.1 503 ") {
		t.Errorf("the response is %q", b)
	}
	await(t, "the refusal", func() bool {
		n, _ := series(t, reg, "recycling_connections_refused_total", "reason", "MaxConnsPerIP")
		return n == 1
	})
}

func TestRequestsInFlightAndQueueing(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		reg := prometheus.NewPedanticRegistry()
		entered, open := make(chan struct{}), make(chan struct{})
		srv := recycling.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			entered <- struct{}{}
			<-open
		}), MustRegister(reg), func(s *recycling.Server) { s.Strategy, s.MaxWorkers, s.Standby = strategy, 1, 1 })
		url := serve(t, srv)
		results := make(chan error, 2)
		for range 2 {
			c := newClient(t)
			c.Transport.(*http.Transport).DisableKeepAlives = true // Fixed serves the first one until it closes
			go func() {
				resp, err := c.Get(url)
				if err == nil {
					resp.Body.Close()
				}
				results <- err
			}()
		}
		<-entered
		if strategy == recycling.Goroutine {
			<-entered
		} else {
			await(t, "a connection to wait", func() bool {
				n, _ := series(t, reg, "recycling_connections_queued")
				ratio, _ := series(t, reg, "recycling_utilization_ratio", "limit", "MaxWorkers")
				return n == 1 && ratio == 1
			})
		}
		want := 1.0
		if strategy == recycling.Goroutine {
			want = 2
		}
		if n, _ := series(t, reg, "recycling_requests_in_flight"); n != want {
			t.Errorf("%v requests are in flight, want %v", n, want)
		}
		close(open)
		if strategy != recycling.Goroutine {
			<-entered
		}
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		await(t, "the requests to end", func() bool {
			n, _ := series(t, reg, "recycling_requests_in_flight")
			return n == 0
		})
		if n, _ := series(t, reg, "recycling_request_queue_seconds"); (n > 0) == (strategy == recycling.Goroutine) {
			t.Errorf("%v requests have waited", n)
		}
	})
}

func TestSeveralServersAreToldApartByLabels(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for _, name := range []string{"public", "admin"} {
		if err := (Config{Labels: prometheus.Labels{"server": name}}).Register(reg, new(recycling.Server)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"public", "admin"} {
		if _, ok := series(t, reg, "recycling_connections_open", "server", name); !ok {
			t.Errorf("there are no metrics of %s", name)
		}
	}
}

func TestRegisterReportsWhatIsWrong(t *testing.T) {
	reg := prometheus.NewRegistry()
	if err := Register(reg, new(recycling.Server)); err != nil {
		t.Fatal(err)
	}
	again := new(recycling.Server)
	err := Register(reg, again)
	if are := (prometheus.AlreadyRegisteredError{}); !errors.As(err, &are) || !strings.Contains(err.Error(), "Config.Labels") {
		t.Errorf("the second Server: %v", err)
	}
	if again.Observer != nil {
		t.Error("a Server that is not registered has an Observer")
	}
	for _, c := range []Config{
		{Buckets: []time.Duration{time.Second, time.Second}},
		{Buckets: []time.Duration{0}},
		{Labels: prometheus.Labels{"method": "x"}},
		{Labels: prometheus.Labels{"a-b\xff": "x"}},
	} {
		if err := c.Register(prometheus.NewRegistry(), new(recycling.Server)); err == nil || !strings.HasPrefix(err.Error(), "recyclingprometheus: ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	srv := &recycling.Server{HTTP: &http.Server{Handler: newMux()}}
	url := serve(t, srv)
	get(t, newClient(t), url+"/hello/you")
	if err := Register(prometheus.NewRegistry(), srv); err == nil {
		t.Error("a Server that serves was registered")
	}
	defer func() {
		if recover() == nil {
			t.Error("MustRegister has not panicked")
		}
	}()
	recycling.New(newMux(), MustRegister(reg))
}

type nothing struct{ observe.Observer }

func TestObserverOfTheApplicationIsKept(t *testing.T) {
	rec := observe.NewRecorder()
	srv := &recycling.Server{Observer: rec}
	if err := Register(prometheus.NewRegistry(), srv); err != nil || srv.Observer != observe.Observer(rec) {
		t.Errorf("the Observer is %v (%v), want the Recorder of the application", srv.Observer, err)
	}
	srv = &recycling.Server{Observer: nothing{}}
	if err := Register(prometheus.NewRegistry(), srv); err != nil {
		t.Fatal(err)
	}
	if srv.Observer == observe.Observer(nothing{}) || observe.RecorderIn(srv.Observer) == nil {
		t.Error("no Recorder was added")
	}
}

func TestRoutesWithEqualLabelsAreOne(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	rec := observe.NewRecorder()
	if err := Register(reg, &recycling.Server{Observer: rec}); err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{"", "none", "GET /a", "POST \t/a", "/a", "\xff", "\xfe", "the route", "example.org/a b", "GET example.org/a b"} {
		rec.RequestEnd(&observe.Request{Method: "GET", Route: route, Status: 200, Duration: 1})
	}
	for route, want := range map[string]float64{"none": 2, "/a": 3, "\uFFFD": 2, "the route": 1, "example.org/a b": 2} {
		if n, _ := series(t, reg, "recycling_request_duration_seconds", "route", route); n != want {
			t.Errorf("%q has %v requests, want %v", route, n, want)
		}
	}
}

func TestPromtoolAcceptsTheMetrics(t *testing.T) {
	reg, rec := prometheus.NewPedanticRegistry(), observe.NewRecorder()
	srv := &recycling.Server{Observer: rec, HTTP: &http.Server{Handler: newMux()}}
	if err := Register(reg, srv); err != nil {
		t.Fatal(err)
	}
	url := serve(t, srv)
	get(t, newClient(t), url+"/hello/you")
	text := ""
	await(t, "the request to be recorded", func() bool {
		w := httptest.NewRecorder()
		promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "GET", "/", nil))
		text = w.Body.String()
		return strings.Contains(text, "\nrecycling_request_duration_seconds_count{")
	})
	for _, m := range metrics {
		if !strings.Contains(text, "\n# TYPE "+m.name+" "+typeName(m)+"\n") {
			t.Errorf("there is no %s", m.name)
		}
	}
	promtool(t, text, "check", "metrics")
}
