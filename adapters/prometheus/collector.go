package recyclingprometheus

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// A collector reads the counters of a Server when Prometheus scrapes. It does not change once it is
// registered, and may be used concurrently.
type collector struct {
	srv     *recycling.Server
	rec     *observe.Recorder
	descs   []*prometheus.Desc // of metrics, in that order
	bounds  []time.Duration
	native  bool
	created time.Time
}

func newCollector(srv *recycling.Server, rec *observe.Recorder, labels prometheus.Labels) *collector {
	c := &collector{srv: srv, rec: rec, created: time.Now()}
	for _, m := range metrics {
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, m.labels, labels))
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := &snapshot{
		Stats:   c.srv.Stats(),
		refused: c.rec.Refused(),
		evicted: c.rec.Evicted(),
		ended:   c.rec.Ended(),
		queued:  c.rec.Queued(),
		routes:  byLabels(c.rec.Routes()),
	}
	_, now.active = c.rec.Active(0)
	for i, m := range metrics {
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
	return strings.ToValidUTF8(pattern, "\uFFFD")
}
