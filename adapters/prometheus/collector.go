package recyclingprometheus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// A collector reads counters when Prometheus scrapes. It does not change once it is registered, and
// may be used concurrently.
type collector struct {
	read    func(*snapshot) // reads what metrics need
	metrics []metric
	descs   []*prometheus.Desc // of metrics, in that order
	bounds  []time.Duration
	native  bool
	created time.Time
}

// collector returns a collector of some metrics. The error is that of an invalid Config.
func (c Config) collector(metrics []metric, read func(*snapshot)) (*collector, error) {
	col := &collector{read: read, metrics: metrics, bounds: slices.Clone(c.Buckets), native: c.NativeHistograms, created: time.Now()}
	if c.Buckets == nil {
		col.bounds = slices.Clone(DefaultBuckets)
	}
	for i, b := range col.bounds {
		if b <= 0 || i > 0 && b <= col.bounds[i-1] {
			return nil, fmt.Errorf("recyclingprometheus: Config.Buckets[%d] is %v: buckets must be positive and ascending", i, b)
		}
	}
	for _, m := range metrics {
		col.descs = append(col.descs, prometheus.NewDesc(m.name, m.help, m.labels, c.Labels))
	}
	return col, nil
}

// register registers c with reg. The error of a second registration says what c is of.
func (c *collector) register(reg prometheus.Registerer, what string) error {
	err := reg.Register(c)
	if are := (prometheus.AlreadyRegisteredError{}); errors.As(err, &are) {
		return fmt.Errorf("recyclingprometheus: another %s is registered, and Config.Labels does not tell them apart: %w", what, err)
	}
	if err != nil {
		return fmt.Errorf("recyclingprometheus: %w", err)
	}
	return nil
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := new(snapshot)
	c.read(now)
	for i, m := range c.metrics {
		if m.kind == histogram {
			m.times(now, func(d observe.Distribution, labels ...string) { ch <- c.histogram(c.descs[i], d, labels) })
			continue
		}
		m.values(now, func(v float64, labels ...string) {
			// The error of a label that is not valid would fail the scrape.
			ch <- prometheus.MustNewConstMetric(c.descs[i], m.kind, v, labels...)
		})
	}
}

// A snapshot is what a scrape reads.
type snapshot struct {
	recycling.Stats
	refused, evicted map[observe.Reason]uint64
	ended            map[observe.Outcome]uint64
	active           int
	queued           observe.Distribution
	routes           map[routeLabels]times

	tasks  []observe.TaskStats
	places map[string]observe.PlaceStats

	backlogs map[string][]observe.Backlog
}

// readServer reads what the metrics of a Server need.
func (s *snapshot) readServer(srv *recycling.Server, rec *observe.Recorder) {
	s.Stats = srv.Stats()
	s.refused, s.evicted, s.ended = rec.Refused(), rec.Evicted(), rec.Ended()
	s.queued, s.routes = rec.Queued(), byLabels(rec.Routes())
	_, s.active = rec.Active(0)
}

type routeLabels struct{ method, route, status string }

func (l routeLabels) values() []string { return []string{l.method, l.route, l.status} }

type times struct{ firstByte, duration observe.Distribution }

// byLabels returns the times for each combination of labels. Several routes may have equal labels.
func byLabels(routes []observe.RouteStats) map[routeLabels]times {
	all := make(map[routeLabels]times, len(routes))
	for _, r := range routes {
		l := routeLabels{method: r.Method, route: routeLabel(r.Route), status: "none"}
		if l.method == "" {
			l.method = "any"
		}
		if r.Class > 0 {
			l.status = string(rune('0'+r.Class)) + "xx"
		}
		t := all[l]
		all[l] = times{t.firstByte.Plus(r.FirstByte), t.duration.Plus(r.Duration)}
	}
	return all
}

// routeLabel returns the label for a pattern. It leaves out the method with which a pattern of
// http.ServeMux may begin, because that is a label of its own.
func routeLabel(pattern string) string {
	if method, rest, ok := strings.Cut(pattern, " "); ok && !strings.Contains(method, "/") && strings.Contains(rest, "/") {
		pattern = strings.TrimLeft(rest, " \t")
	}
	if pattern == "" {
		return "none"
	}
	return valid(pattern)
}

// valid returns text as it can be the value of a label.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
