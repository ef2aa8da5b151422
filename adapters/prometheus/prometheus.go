// Package recyclingprometheus exports the metrics of a server to Prometheus. An application adds
// one option:
//
//	recycling.Serve(router, recyclingprometheus.MustRegister(prometheus.DefaultRegisterer))
//
// or, if it has a Server, one line before the Server serves:
//
//	err := recyclingprometheus.Register(prometheus.DefaultRegisterer, srv)
//
// The application serves the metrics itself, for example with promhttp:
//
//	router.Handle("/metrics", promhttp.Handler())
//
// [RegisterTasks] does the same for tasks of package core/offload/task.
//
// Every metric has the prefix recycling_. The file docs/metrics.md of the repository says what each
// means and what to do about it. The folder of this package also has alerting rules (alerts.yml)
// and a dashboard for Grafana (dashboard.json).
//
// A request costs no more than with an [observe.Recorder] alone. The counters are read when
// Prometheus scrapes. Routes are those of [observe.SetRoute], which the adapters for chi, echo and
// gin call, and the patterns of [net/http.ServeMux]. Requests that matched no route have the route
// "none".
package recyclingprometheus

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// A Config says how metrics are exported. The zero value is that of [Register].
type Config struct {
	// Labels are added to all metrics. If several Servers are registered with one Registerer, each
	// needs the same labels with other values, such as {"server": "admin"}.
	Labels prometheus.Labels

	// Buckets are the upper bounds of the buckets of all histograms, in ascending order. A duration
	// that is less than an eighth below a bound may be counted in the next bucket. Nil means
	// [DefaultBuckets].
	//
	// A Recorder knows up to [observe.MaxSeries] combinations of method, route and class of status.
	// For each of them, Prometheus stores two histograms.
	Buckets []time.Duration

	// NativeHistograms adds native histograms, for a Prometheus that is configured to scrape them.
	// Their quantiles are exact to within about an eighth. Such a Prometheus does not store the
	// classic buckets, which alerts.yml and dashboard.json use, unless its configuration says so.
	NativeHistograms bool
}

// DefaultBuckets are the buckets of histograms, for times from a fifth of a millisecond to ten
// seconds.
var DefaultBuckets = []time.Duration{
	200 * time.Microsecond, 500 * time.Microsecond,
	1 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	1 * time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
}

// Register registers the metrics of srv with reg. It must be called before srv serves. If
// srv.Observer is or contains an [observe.Recorder], that is used. Otherwise Register adds one, and
// keeps the Observer: see [observe.Observers]. Code that replaces srv.Observer must run before
// Register.
//
// It returns an error if srv already serves without a Recorder, or if reg has metrics of the same
// name and labels, such as those of another Server: see [Config].
func Register(reg prometheus.Registerer, srv *recycling.Server) error {
	return Config{}.Register(reg, srv)
}

// MustRegister returns an option that calls Register, and panics if that returns an error. It must
// come after options that set the Observer.
func MustRegister(reg prometheus.Registerer) recycling.Option { return Config{}.MustRegister(reg) }

// MustRegister is like the function MustRegister.
func (c Config) MustRegister(reg prometheus.Registerer) recycling.Option {
	return func(srv *recycling.Server) {
		if err := c.Register(reg, srv); err != nil {
			panic(err)
		}
	}
}

// Register is like the function Register. It also returns an error if Buckets are not positive and
// ascending, or if Labels are not valid.
func (c Config) Register(reg prometheus.Registerer, srv *recycling.Server) error {
	rec := observe.RecorderIn(srv.Observer)
	fresh := rec == nil
	if fresh {
		if srv.Stats().Version != "" {
			return errors.New("recyclingprometheus: Register was called after the Server began to serve, and its Observer has no Recorder")
		}
		rec = observe.NewRecorder()
	}
	col, err := c.collector(metrics, func(s *snapshot) { s.readServer(srv, rec) })
	if err != nil {
		return err
	}
	if err := col.register(reg, "Server"); err != nil {
		return err
	}
	if fresh {
		srv.Observer = observe.Observers(srv.Observer, rec)
	}
	return nil
}
