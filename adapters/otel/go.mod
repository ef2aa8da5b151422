module github.com/recycling-go/recycling/adapters/otel

go 1.25.0

require (
	github.com/recycling-go/recycling/core v0.0.0
	go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp v0.53.0
	go.opentelemetry.io/otel v1.28.0
	go.opentelemetry.io/otel/metric v1.28.0
	go.opentelemetry.io/otel/sdk v1.28.0
	go.opentelemetry.io/otel/sdk/metric v1.28.0
	go.opentelemetry.io/otel/trace v1.28.0
)

require (
	github.com/alitto/pond/v2 v2.7.1 // indirect
	github.com/felixge/httpsnoop v1.0.4 // indirect
	github.com/go-logr/logr v1.4.2 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/recycling-go/recycling/listener v0.0.0 // indirect
	golang.org/x/sys v0.21.0 // indirect
)

replace (
	github.com/recycling-go/recycling/core => ../../core
	github.com/recycling-go/recycling/listener => ../../listener
)
