// Command deploy is a small application as it runs in production: behind proxies, in a container or
// under systemd. The other files of this folder run it; README.md describes them.
//
//	go run ./examples/deploy -addr :8080 -admin localhost:9090
//
//	GET /yo?name=Dude    Hey Dude!
//	GET /ip              the address of the client, as a proxy reports it
//	GET /sleep/{ms}      responds after ms milliseconds
//	GET /events          server-sent events, one a second, until the server drains
//	GET /healthz         whether the process works: for liveness
//	GET /healthz?ready   whether it should get requests: for readiness
//
// On the administrative address, which must not be public:
//
//	GET /status          what the server does at present
//	GET /metrics         for Prometheus
//	GET /stats           the server's counters as JSON
//	GET /debug/pprof/    profiles
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recyclingprometheus "github.com/recycling-go/recycling/adapters/prometheus"
	"github.com/recycling-go/recycling/adapters/status"
	"github.com/recycling-go/recycling/adapters/systemd"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	c, err := parse(os.Args[1:])
	if err == nil {
		err = run(c)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		slog.Error("deploy: " + err.Error())
		os.Exit(1)
	}
}

// run serves until SIGTERM, and then drains. The administrative server runs until after that, so
// that the metrics of draining can be read.
func run(c config) error {
	page, metrics := new(status.Page), prometheus.NewRegistry()
	s := newServer(c, page.Server("app"), recyclingprometheus.MustRegister(metrics))
	l, err := net.Listen("tcp", c.admin)
	if err != nil {
		return err
	}
	admin := &http.Server{Handler: adminRoutes(s, page, metrics), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- admin.Serve(l) }()
	err = systemd.Run(s) // without systemd, it is s.Run(context.Background(), nil)
	admin.Close()
	if e := <-done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func newServer(c config, options ...recycling.Option) *recycling.Server {
	settings := func(s *recycling.Server) {
		s.LameDuck = c.lameDuck
		s.DrainTimeout = c.drainTimeout
		s.QueueWait = c.queueWait
		s.MaxConns = c.maxConns
		s.MaxConnAge = c.maxConnAge
		s.HealthPath = healthPath
		if len(c.proxyProtocol) > 0 {
			s.ProxyProtocol = &proxyproto.Config{Trusted: c.proxyProtocol}
		}
		s.Log = slog.Default()
	}
	return recyclingchi.New(routes(c), append([]recycling.Option{recycling.Addr(c.addr), settings}, options...)...)
}

// adminRoutes are served by net/http on an address of their own, so that they work whatever the
// state of s is.
func adminRoutes(s *recycling.Server, page http.Handler, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /status", page)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(s.Stats())
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
