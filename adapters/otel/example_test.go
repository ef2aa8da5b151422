package recyclingotel_test

import (
	"context"
	"log"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	recyclingotel "github.com/recycling-go/recycling/adapters/otel"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func Example() {
	provider := sdk.NewMeterProvider(sdk.WithReader(sdk.NewManualReader())) // or one that exports
	defer provider.Shutdown(context.Background())
	otel.SetMeterProvider(provider)

	router := http.NewServeMux() // or that of chi, echo or gin
	if err := recycling.Serve(router, recyclingotel.MustRegister(nil)); err != nil {
		log.Fatal(err)
	}
}

// With otelhttp, requests have spans too. Its metrics are switched off, because this package
// records them.
func Example_traces() {
	router := http.NewServeMux()
	traced := otelhttp.NewHandler(observe.Patterns(router), "server", otelhttp.WithMeterProvider(noop.NewMeterProvider()))
	if err := recycling.Serve(traced, recyclingotel.MustRegister(nil)); err != nil {
		log.Fatal(err)
	}
}

// The calls of tasks are observed where the place is made.
func ExampleTasks() {
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	observer, err := recyclingotel.Tasks(nil)
	if err != nil {
		log.Fatal(err)
	}
	place := task.Observe(task.Local(pool), "local", observer)
	_ = place // for the methods Do of tasks
}
