package recyclingotel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/recycling-go/recycling/core/observe"
)

// Names of the instruments for tasks.
const (
	nameTaskCalls    = "recycling.task.calls"
	nameTaskQueue    = "recycling.task.queue.duration"
	nameTaskDuration = "recycling.task.duration"
	nameTaskRetries  = "recycling.task.retries"
)

// Attributes of tasks.
const (
	placeKey  = "recycling.place"
	taskKey   = "recycling.task"
	resultKey = "recycling.result"
)

// taskInstruments are those of RegisterTasks, in the order of docs/metrics.md.
var taskInstruments = []instrument{
	{
		name: nameTaskCalls, kind: counter, unit: "{call}", attributes: []string{placeKey, taskKey, resultKey},
		help: "Calls of tasks that have ended, by result: returned, failed, panicked, timed_out, left (by their caller), shed_full, shed_wait and shed_closed (they got no worker), lost (their worker was), or refused (no worker can run the task).",
		do:   "shed: add workers or machines. lost: workers crash or are killed: look at their logs. refused: callers and workers run different versions, or too few slots are configured.",
	},
	{
		name: nameTaskQueue, kind: histogram, unit: "s", attributes: []string{placeKey, taskKey, resultKey},
		help: "Time from the call of a task until it began, or until the call ended without that.",
		do:   "If it grows, all workers of the place are busy: add workers or machines, or make tasks shorter.",
	},
	{
		name: nameTaskDuration, kind: histogram, unit: "s", attributes: []string{placeKey, taskKey, resultKey},
		help: "Time from the start of a task until its call ended. Calls whose task did not begin are left out.",
		do:   "Find the task that has become slow, and profile it where it runs.",
	},
	{
		name: nameTaskRetries, kind: counter, unit: "{retry}", attributes: []string{placeKey, taskKey, resultKey},
		help: "How often tasks began again because their worker was lost.",
		do:   "A few are normal while machines are replaced. Otherwise workers crash: look at their logs, and at their memory.",
	},
	{
		name: "recycling.place.queued", kind: upDown, unit: "{call}", attributes: []string{placeKey},
		help: "Calls of tasks that wait for a worker of the place.",
		do:   "If it is not close to zero most of the time, the place has too few workers for its load.", places: func(p observe.PlaceStats) int { return p.Queued },
	},
	{
		name: "recycling.place.running", kind: upDown, unit: "{worker}", attributes: []string{placeKey},
		help: "Workers of the place that run a task, including tasks whose caller has left.",
		do:   "Compare it with recycling.place.idle. If it is higher than the calls in progress, tasks do not end when their context does.", places: func(p observe.PlaceStats) int { return p.Running },
	},
	{
		name: "recycling.place.idle", kind: upDown, unit: "{worker}", attributes: []string{placeKey},
		help: "Workers of the place with nothing to do.",
		do:   "If it is zero for long, add workers. If it is never close to zero, there are more workers than needed.", places: func(p observe.PlaceStats) int { return p.Idle },
	},
	{
		name: "recycling.backlog.tasks", kind: upDown, unit: "{task}", attributes: []string{placeKey, taskKey},
		help: "Enqueued tasks that are not done, on all machines together: queued, running, or to be tried again.",
		do:   "If it grows for long, there are too few workers for what is enqueued: add machines.", backlog: func(b observe.Backlog) float64 { return float64(b.Enqueued) },
	},
	{
		name: "recycling.backlog.age", kind: gauge, unit: "s", attributes: []string{placeKey, taskKey},
		help: "Age of the oldest enqueued task that is not done.",
		do:   "Compare it with the time that results may take. If it grows although workers are idle, one task fails again and again.", backlog: func(b observe.Backlog) float64 { return b.Oldest.Seconds() },
	},
	{
		name: "recycling.backlog.calls", kind: upDown, unit: "{call}", attributes: []string{placeKey, taskKey},
		help: "Calls that wait for a worker, on all machines together.",
		do:   "If it is not close to zero most of the time, calls will be shed: add machines.", backlog: func(b observe.Backlog) float64 { return float64(b.Calls) },
	},
}

// Tasks returns an observer that records calls of tasks with a Meter of mp, or of the global
// MeterProvider if mp is nil:
//
//	observer, err := recyclingotel.Tasks(nil)
//	...
//	place = task.Observe(place, "children", observer)
//
// One observer may be used for several places. It returns an error if mp does not create an
// instrument.
func Tasks(mp metric.MeterProvider) (observe.TaskObserver, error) { return Config{}.Tasks(mp) }

// Tasks is like the function Tasks.
func (c Config) Tasks(mp metric.MeterProvider) (observe.TaskObserver, error) {
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	o := &taskObserver{attrs: c.Attributes, state: observe.NewTaskRecorder()}
	if err := o.register(mp.Meter(scope)); err != nil {
		return nil, fmt.Errorf("recyclingotel: %w", err)
	}
	return o, nil
}

// A taskObserver records calls of tasks. Recording uses the background context, as that of requests
// does.
type taskObserver struct {
	calls, retries  metric.Int64Counter
	queue, duration metric.Float64Histogram

	attrs []attribute.KeyValue
	sets  cache[callKey, callOptions]

	state *observe.TaskRecorder // of places and backlogs; it records no calls
}

// A callKey is what the attributes of a call are made from.
type callKey struct {
	place, task string
	result      observe.TaskResult
}

type callOptions struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// register creates the instruments.
func (o *taskObserver) register(meter metric.Meter) (err error) {
	var ofPlace []func(observe.PlaceStats, metric.MeasurementOption, metric.Observer)
	var ofBacklog []func(observe.Backlog, metric.MeasurementOption, metric.Observer)
	var observed []metric.Observable
	for _, i := range taskInstruments {
		unit, help := metric.WithUnit(i.unit), metric.WithDescription(i.help)
		switch {
		case i.name == nameTaskCalls:
			o.calls, err = meter.Int64Counter(i.name, unit, help)
		case i.name == nameTaskRetries:
			o.retries, err = meter.Int64Counter(i.name, unit, help)
		case i.name == nameTaskQueue:
			o.queue, err = meter.Float64Histogram(i.name, unit, help, metric.WithExplicitBucketBoundaries(shortSeconds...))
		case i.name == nameTaskDuration:
			o.duration, err = meter.Float64Histogram(i.name, unit, help, metric.WithExplicitBucketBoundaries(shortSeconds...))
		case i.kind == gauge:
			var g metric.Float64ObservableGauge
			g, err = meter.Float64ObservableGauge(i.name, unit, help)
			observed = append(observed, g)
			ofBacklog = append(ofBacklog, func(b observe.Backlog, set metric.MeasurementOption, to metric.Observer) {
				to.ObserveFloat64(g, i.backlog(b), set)
			})
		default:
			var u metric.Int64ObservableUpDownCounter
			u, err = meter.Int64ObservableUpDownCounter(i.name, unit, help)
			observed = append(observed, u)
			if i.places != nil {
				ofPlace = append(ofPlace, func(s observe.PlaceStats, set metric.MeasurementOption, to metric.Observer) {
					to.ObserveInt64(u, int64(i.places(s)), set)
				})
			} else {
				ofBacklog = append(ofBacklog, func(b observe.Backlog, set metric.MeasurementOption, to metric.Observer) {
					to.ObserveInt64(u, int64(i.backlog(b)), set)
				})
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
	}
	_, err = meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		for name, p := range o.state.Places() {
			set := setOf(o.attrs, attribute.String(placeKey, valid(name)))
			for _, f := range ofPlace {
				f(p, set, to)
			}
		}
		for name, list := range o.state.Backlogs() {
			for _, b := range list {
				set := setOf(o.attrs, attribute.String(placeKey, valid(name)), attribute.String(taskKey, valid(b.Task)))
				for _, f := range ofBacklog {
					f(b, set, to)
				}
			}
		}
		return nil
	}, observed...)
	return err
}

// AddPlace makes o record the state of a place: see [observe.TaskRecorder.AddPlace].
func (o *taskObserver) AddPlace(name string, read func() observe.PlaceStats) {
	o.state.AddPlace(name, read)
}

// AddBacklog makes o record a backlog: see [observe.TaskRecorder.AddBacklog].
func (o *taskObserver) AddBacklog(place string, read func(context.Context) ([]observe.Backlog, error)) {
	o.state.AddBacklog(place, read)
}

// TaskEnd implements [observe.TaskObserver].
func (o *taskObserver) TaskEnd(c observe.TaskCall) {
	k := callKey{c.Place, c.Task, c.Result}
	options, ok := o.sets.get(k)
	if !ok {
		other := callKey{observe.OtherTasks, observe.OtherTasks, c.Result}
		options = o.sets.add(k, other, observe.MaxTasks*len(observe.TaskResults()), o.makeOptions)
	}
	o.calls.Add(background, 1, options.add...)
	o.queue.Record(background, c.Queued.Seconds(), options.record...)
	if c.Running > 0 {
		o.duration.Record(background, c.Running.Seconds(), options.record...)
	}
	if c.Retries > 0 {
		o.retries.Add(background, int64(c.Retries), options.add...)
	}
}

func (o *taskObserver) makeOptions(k callKey) callOptions {
	set := setOf(o.attrs, attribute.String(placeKey, valid(k.place)), attribute.String(taskKey, valid(k.task)), attribute.String(resultKey, k.result.String()))
	return callOptions{[]metric.AddOption{set}, []metric.RecordOption{set}}
}
