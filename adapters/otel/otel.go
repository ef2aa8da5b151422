// Package recyclingotel records the metrics of a server with OpenTelemetry. An application adds one
// option:
//
//	recycling.Serve(router, recyclingotel.MustRegister(nil))
//
// or, if it has a Server, one line before the Server serves:
//
//	err := recyclingotel.Register(nil, srv)
//
// Nil stands for the global MeterProvider: see [otel.SetMeterProvider]. This package uses only the
// API of OpenTelemetry; the application chooses the SDK and where metrics go.
//
// Requests are recorded as the semantic conventions for HTTP servers say. Metrics of the server
// itself begin with "recycling.". The file docs/metrics.md of the repository says what each means.
// Routes are those of [observe.SetRoute], which the adapters for chi, echo and gin call, and the
// patterns of [net/http.ServeMux].
//
// [Tasks] returns an observer that records tasks of package core/offload/task.
//
// For traces, use middleware such as otelhttp. It also records some of these metrics; turn those
// off. Because otelhttp copies the request, a ServeMux in it needs [observe.Patterns]:
//
//	off := otelhttp.WithMeterProvider(noop.NewMeterProvider())
//	handler := otelhttp.NewHandler(observe.Patterns(mux), "server", off)
package recyclingotel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// scope is the name of the Meter.
const scope = "github.com/recycling-go/recycling/adapters/otel"

// A Config says what is recorded. The zero value is that of [Register].
type Config struct {
	// Attributes are added to all metrics. They tell Servers of the same process apart, for example
	// by server.port.
	Attributes []attribute.KeyValue
}

// Register makes srv record its metrics with a Meter of mp, or of the global MeterProvider if mp is
// nil. It must be called before srv serves. It keeps the Observer of srv: see [observe.Observers].
// Code that replaces srv.Observer must run before Register.
//
// It returns an error if srv already serves, or if mp does not create an instrument.
func Register(mp metric.MeterProvider, srv *recycling.Server) error {
	return Config{}.Register(mp, srv)
}

// MustRegister returns an option that calls Register, and panics if that returns an error. It must
// come after options that set the Observer.
func MustRegister(mp metric.MeterProvider) recycling.Option { return Config{}.MustRegister(mp) }

// MustRegister is like the function MustRegister.
func (c Config) MustRegister(mp metric.MeterProvider) recycling.Option {
	return func(srv *recycling.Server) {
		if err := c.Register(mp, srv); err != nil {
			panic(err)
		}
	}
}

// Register is like the function Register.
func (c Config) Register(mp metric.MeterProvider, srv *recycling.Server) error {
	if srv.Stats().Version != "" {
		return errors.New("recyclingotel: Register was called after the Server began to serve")
	}
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	meter := mp.Meter(scope)
	o, err := newObserver(meter, c.Attributes)
	if err != nil {
		return fmt.Errorf("recyclingotel: %w", err)
	}
	if err := registerStats(meter, srv, c.Attributes); err != nil {
		return fmt.Errorf("recyclingotel: %w", err)
	}
	srv.Observer = observe.Observers(srv.Observer, o)
	return nil
}

// registerStats creates the instruments that read Stats.
func registerStats(meter metric.Meter, srv *recycling.Server, attrs []attribute.KeyValue) error {
	var all []metric.Observable
	var read []func(*recycling.Stats, metric.Observer)
	common := metric.WithAttributeSet(attribute.NewSet(attrs...))
	for _, i := range instruments {
		unit, help := metric.WithUnit(i.unit), metric.WithDescription(i.help)
		var err error
		switch i.kind {
		case upDown, counter:
			if i.value == nil {
				continue
			}
			var o metric.Int64Observable
			if i.kind == counter {
				o, err = meter.Int64ObservableCounter(i.name, unit, help)
			} else {
				o, err = meter.Int64ObservableUpDownCounter(i.name, unit, help)
			}
			all = append(all, o)
			read = append(read, func(s *recycling.Stats, to metric.Observer) { to.ObserveInt64(o, i.value(s), common) })
		case gauge:
			var o metric.Float64Observable
			o, err = meter.Float64ObservableGauge(i.name, unit, help)
			all = append(all, o)
			read = append(read, func(s *recycling.Stats, to metric.Observer) {
				for limit, v := range i.ratios(s) {
					to.ObserveFloat64(o, v, common, metric.WithAttributes(attribute.String(limitKey, limit)))
				}
			})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
	}
	_, err := meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		stats := srv.Stats()
		for _, f := range read {
			f(&stats, to)
		}
		return nil
	}, all...)
	return err
}
