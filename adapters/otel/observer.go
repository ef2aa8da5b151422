package recyclingotel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/recycling-go/recycling/core/observe"
)

// An observer records requests and refused connections. Recording uses the background context,
// because the span of a request is in the handler's context, which the server does not know.
type observer struct {
	duration, firstByte, queue metric.Float64Histogram
	requestBody, responseBody  metric.Int64Histogram
	active                     metric.Int64UpDownCounter
	refused, evicted           metric.Int64Counter

	attrs        []attribute.KeyValue
	methods      map[string]bool // those that are not _OTHER
	sets         cache[requestKey, []metric.RecordOption]
	activeSets   map[activeKey][]metric.AddOption
	reasonSets   map[observe.Reason][]metric.AddOption
	queueOptions []metric.RecordOption
}

type activeKey struct {
	method string // or otherMethod
	tls    bool
}

var background = context.Background()

// seconds are the boundaries that the semantic conventions recommend.
var seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// shortSeconds are for the time in the queue, which should be short.
var shortSeconds = append([]float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025}, seconds...)

var bytes = []float64{0, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

func newObserver(meter metric.Meter, attrs []attribute.KeyValue) (*observer, error) {
	o := &observer{attrs: attrs, methods: knownMethods(), activeSets: map[activeKey][]metric.AddOption{}, reasonSets: map[observe.Reason][]metric.AddOption{}}
	var err error
	note := func(name string, e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", name, e)
		}
	}
	timer := func(name string, bounds []float64) metric.Float64Histogram {
		i := instrumentOf(name)
		h, e := meter.Float64Histogram(name, metric.WithUnit(i.unit), metric.WithDescription(i.help), metric.WithExplicitBucketBoundaries(bounds...))
		note(name, e)
		return h
	}
	size := func(name string) metric.Int64Histogram {
		i := instrumentOf(name)
		h, e := meter.Int64Histogram(name, metric.WithUnit(i.unit), metric.WithDescription(i.help), metric.WithExplicitBucketBoundaries(bytes...))
		note(name, e)
		return h
	}
	count := func(name string) metric.Int64Counter {
		i := instrumentOf(name)
		c, e := meter.Int64Counter(name, metric.WithUnit(i.unit), metric.WithDescription(i.help))
		note(name, e)
		return c
	}
	o.duration, o.firstByte, o.queue = timer(nameDuration, seconds), timer(nameFirstByte, seconds), timer(nameQueue, shortSeconds)
	o.requestBody, o.responseBody = size(nameRequestBody), size(nameResponseBody)
	o.refused, o.evicted = count(nameRefused), count(nameEvicted)
	i := instrumentOf(nameActive)
	active, e := meter.Int64UpDownCounter(nameActive, metric.WithUnit(i.unit), metric.WithDescription(i.help))
	note(nameActive, e)
	o.active = active

	for m := range o.methods {
		o.addActive(m)
	}
	o.addActive(otherMethod)
	for _, r := range observe.Reasons() {
		o.reasonSets[r] = []metric.AddOption{o.set(attribute.String(reasonKey, string(r)))}
	}
	o.queueOptions = []metric.RecordOption{o.set()}
	return o, err
}

func (o *observer) addActive(method string) {
	for _, tls := range []bool{false, true} {
		o.activeSets[activeKey{method, tls}] = []metric.AddOption{o.set(attribute.String("http.request.method", method), attribute.String("url.scheme", scheme(tls)))}
	}
}

// set returns an option with the attributes of the Config and others.
func (o *observer) set(others ...attribute.KeyValue) metric.MeasurementOption {
	return setOf(o.attrs, others...)
}

// instrumentOf returns the instrument of a server with a name.
func instrumentOf(name string) instrument {
	for _, i := range instruments {
		if i.name == name {
			return i
		}
	}
	panic("BUG: no instrument " + name)
}

// RequestStart implements [observe.Observer].
func (o *observer) RequestStart(r *observe.Request) {
	o.active.Add(background, 1, o.activeSets[activeKey{o.method(r), r.TLS}]...)
}

// RequestEnd implements [observe.Observer].
func (o *observer) RequestEnd(r *observe.Request) {
	o.active.Add(background, -1, o.activeSets[activeKey{o.method(r), r.TLS}]...)
	options := o.options(r)
	o.duration.Record(background, r.Duration.Seconds(), options...)
	if r.FirstByte > 0 {
		o.firstByte.Record(background, r.FirstByte.Seconds(), options...)
	}
	if r.Queued > 0 {
		o.queue.Record(background, r.Queued.Seconds(), o.queueOptions...)
	}
	if r.ContentLength >= 0 {
		o.requestBody.Record(background, r.ContentLength, options...)
	}
	if r.Outcome != observe.Hijacked {
		sent := r.Written
		if r.Method == "HEAD" {
			sent = 0
		}
		o.responseBody.Record(background, sent, options...)
	}
}

// Conn implements [observe.Observer].
func (o *observer) Conn(e observe.ConnEvent) {
	switch e.Kind {
	case observe.Refused:
		o.refused.Add(background, 1, o.reasonSets[e.Reason]...)
	case observe.Evicted:
		o.evicted.Add(background, 1, o.reasonSets[e.Reason]...)
	}
}
