package recyclingotel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

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

// serve starts srv on a loopback port until the test ends, with TLS if it has a TLSConfig. It
// returns its address.
func serve(t *testing.T, srv *recycling.Server) string {
	t.Helper()
	l := recyclingtest.Loopback(t)
	served := make(chan error, 1)
	go func() {
		if srv.HTTP.TLSConfig != nil {
			served <- srv.ServeTLS(l, "", "")
		} else {
			served <- srv.Serve(l)
		}
	}()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
	return l.Addr().String()
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// A collector reads what was recorded.
type collector struct {
	t      *testing.T
	reader *sdk.ManualReader
	mp     *sdk.MeterProvider
}

func newCollector(t *testing.T) *collector {
	r := sdk.NewManualReader()
	mp := sdk.NewMeterProvider(sdk.WithReader(r))
	t.Cleanup(func() { mp.Shutdown(context.Background()) })
	return &collector{t, r, mp}
}

// points returns the values of a metric by its attributes: the value, or count and sum.
func (c *collector) points(name string) map[string]string {
	c.t.Helper()
	var rm metricdata.ResourceMetrics
	if err := c.reader.Collect(context.Background(), &rm); err != nil {
		c.t.Fatal(err)
	}
	all := map[string]string{}
	put := func(set attribute.Set, format string, args ...any) {
		all[set.Encoded(attribute.DefaultEncoder())] = fmt.Sprintf(format, args...)
	}
	for _, s := range rm.ScopeMetrics {
		for _, m := range s.Metrics {
			if m.Name != name {
				continue
			}
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					put(p.Attributes, "%d", p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					put(p.Attributes, "%v", p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					if p.Sum <= 0 {
						c.t.Errorf("%s has the sum %v", name, p.Sum)
					}
					put(p.Attributes, "%d", p.Count)
				}
			case metricdata.Histogram[int64]:
				for _, p := range d.DataPoints {
					put(p.Attributes, "%d: %d", p.Count, p.Sum)
				}
			default:
				c.t.Errorf("%s is a %T", name, d)
			}
		}
	}
	return all
}

func newMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		r.ContentLength = 99 // what the client has sent counts
		r.TLS = nil
		io.WriteString(w, "hello")
	})
	mux.HandleFunc("GET /fail", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	return mux
}

func TestMetricsFollowTheSemanticConventions(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for _, test := range []struct{ version, scheme string }{{"1.1", "http"}, {"1.1", "https"}, {"2", "https"}} {
			t.Run(test.version+" "+test.scheme, func(t *testing.T) {
				c := newCollector(t)
				srv := recycling.New(newMux(), MustRegister(c.mp), func(s *recycling.Server) { s.Strategy = strategy })
				if test.scheme == "https" {
					srv.HTTP.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
				}
				url := test.scheme + "://" + serve(t, srv)
				for _, request := range []string{"GET /hello/you", "GET /hello/them", "HEAD /hello/you", "POST /hello/you", "BREW /hello/you", "GET /fail", "GET /nowhere", "GET /abort"} {
					method, path, _ := strings.Cut(request, " ")
					var body io.Reader
					if method == "POST" {
						body = strings.NewReader("0123456789")
					}
					req, err := http.NewRequest(method, url+path, body)
					if err != nil {
						t.Fatal(err)
					}
					tr := &http.Transport{
						ForceAttemptHTTP2: test.version == "2",
						TLSClientConfig:   &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"},
					}
					resp, err := (&http.Client{Transport: tr, Timeout: patience}).Do(req)
					if (err != nil) != (path == "/abort") {
						t.Fatal(request, err)
					}
					if err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
					tr.CloseIdleConnections()
				}
				attrs := func(method, status, route, errorType string) string {
					var list []string
					add := func(k, v string) {
						if v != "" {
							list = append(list, k+"="+v)
						}
					}
					add("error.type", errorType)
					add("http.request.method", method)
					add("http.response.status_code", status)
					add("http.route", route)
					add("network.protocol.version", test.version)
					add("url.scheme", test.scheme)
					return strings.Join(list, ",")
				}
				const hello = "/hello/{name}"
				want := map[string]string{
					attrs("GET", "200", hello, ""):        "2",
					attrs("HEAD", "200", hello, ""):       "1",
					attrs("POST", "200", hello, ""):       "1",
					attrs("_OTHER", "200", hello, ""):     "1",
					attrs("GET", "502", "/fail", "502"):   "1",
					attrs("GET", "404", "", ""):           "1",
					attrs("GET", "", "/abort", "aborted"): "1",
				}
				await(t, "the requests to end", func() bool {
					n := 0
					for _, v := range c.points(nameResponseBody) { // recorded last
						count, _, _ := strings.Cut(v, ":")
						i, _ := strconv.Atoi(count)
						n += i
					}
					return n == 8
				})
				c.expect(nameDuration, want)
				delete(want, attrs("GET", "", "/abort", "aborted"))
				c.expect(nameFirstByte, want)
				c.expect(nameActive, map[string]string{
					"http.request.method=GET,url.scheme=" + test.scheme:    "0",
					"http.request.method=HEAD,url.scheme=" + test.scheme:   "0",
					"http.request.method=POST,url.scheme=" + test.scheme:   "0",
					"http.request.method=_OTHER,url.scheme=" + test.scheme: "0",
				})
				c.expect(nameRequestBody, map[string]string{
					attrs("GET", "200", hello, ""):        "2: 0",
					attrs("HEAD", "200", hello, ""):       "1: 0",
					attrs("POST", "200", hello, ""):       "1: 10",
					attrs("_OTHER", "200", hello, ""):     "1: 0",
					attrs("GET", "502", "/fail", "502"):   "1: 0",
					attrs("GET", "404", "", ""):           "1: 0",
					attrs("GET", "", "/abort", "aborted"): "1: 0",
				})
				c.expect(nameResponseBody, map[string]string{
					attrs("GET", "200", hello, ""):        "2: 10",
					attrs("HEAD", "200", hello, ""):       "1: 0",
					attrs("POST", "200", hello, ""):       "1: 5",
					attrs("_OTHER", "200", hello, ""):     "1: 5",
					attrs("GET", "502", "/fail", "502"):   "1: 0",
					attrs("GET", "404", "", ""):           "1: 19",
					attrs("GET", "", "/abort", "aborted"): "1: 0",
				})
				if p := c.points("recycling.connections.accepted"); p[""] != "8" {
					t.Errorf("%v connections were accepted, want 8", p)
				}
			})
		}
	})
}

// expect compares the points of a metric.
func (c *collector) expect(name string, want map[string]string) {
	c.t.Helper()
	got := c.points(name)
	for k, v := range want {
		if got[k] != v {
			c.t.Errorf("%s{%s} is %q, want %q", name, k, got[k], v)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			c.t.Errorf("%s{%s} is %s, want nothing", name, k, v)
		}
	}
}

func TestConnectionsAndQueueing(t *testing.T) {
	c := newCollector(t)
	entered, open := make(chan struct{}), make(chan struct{})
	srv := recycling.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-open
	}), Config{Attributes: []attribute.KeyValue{attribute.Int("server.port", 8080)}}.MustRegister(c.mp), func(s *recycling.Server) {
		s.Strategy, s.MaxWorkers, s.Standby, s.MaxQueue, s.MaxConns, s.MaxConnsPerIP = recycling.Recycling, 1, 1, 2, 8, 2
	})
	addr := serve(t, srv)
	var conns []net.Conn
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		return conn
	}
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	dial()
	<-entered
	dial()
	port := "server.port=8080"
	await(t, "a connection to wait", func() bool { return c.points("recycling.connections.queued")[port] == "1" })
	c.expect("recycling.utilization", map[string]string{
		"recycling.limit=MaxConns," + port:   "0.25",
		"recycling.limit=MaxWaiting," + port: "0",
		"recycling.limit=MaxQueue," + port:   "0.5",
		"recycling.limit=MaxWorkers," + port: "1",
	})
	refused := dial()
	if b, _ := io.ReadAll(refused); !strings.Contains(string(b), " 503 ") {
		t.Errorf("the response is %q", b)
	}
	c.expect(nameRefused, map[string]string{"recycling.reason=MaxConnsPerIP," + port: "1"})
	c.expect(nameActive, map[string]string{"http.request.method=GET," + port + ",url.scheme=http": "1"})
	close(open)
	<-entered
	await(t, "the requests to end", func() bool { return c.points(nameQueue)[port] != "" })
	await(t, "the requests to end", func() bool {
		return c.points(nameActive)["http.request.method=GET,"+port+",url.scheme=http"] == "0"
	})
}

// A broken Meter creates no instrument of one name.
type broken struct {
	metric.Meter
	name string
}

var errBroken = errors.New("no such instrument")

func (b broken) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	if name == b.name {
		return nil, errBroken
	}
	return b.Meter.Int64ObservableCounter(name, o...)
}

func (b broken) Float64Histogram(name string, o ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if name == b.name {
		return nil, errBroken
	}
	return b.Meter.Float64Histogram(name, o...)
}

type brokenProvider struct {
	metric.MeterProvider
	name string
}

func (b brokenProvider) Meter(name string, o ...metric.MeterOption) metric.Meter {
	return broken{b.MeterProvider.Meter(name, o...), b.name}
}

func TestRegisterReportsWhatIsWrong(t *testing.T) {
	for _, name := range []string{nameDuration, "recycling.connections.closed"} {
		srv := new(recycling.Server)
		err := Register(brokenProvider{noop.NewMeterProvider(), name}, srv)
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), name) || srv.Observer != nil {
			t.Errorf("without %s: %v, Observer %v", name, err, srv.Observer)
		}
	}
	srv := &recycling.Server{HTTP: &http.Server{Handler: newMux()}}
	addr := serve(t, srv)
	resp, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err := Register(nil, srv); err == nil {
		t.Error("a Server that serves was registered")
	}
	defer func() {
		if recover() == nil {
			t.Error("MustRegister has not panicked")
		}
	}()
	MustRegister(nil)(srv)
}

func TestObserverOfTheApplicationIsKept(t *testing.T) {
	rec := observe.NewRecorder()
	srv := &recycling.Server{Observer: rec}
	if err := Register(nil, srv); err != nil || observe.RecorderIn(srv.Observer) != rec || srv.Observer == observe.Observer(rec) {
		t.Errorf("the Observer is %v (%v)", srv.Observer, err)
	}
}
