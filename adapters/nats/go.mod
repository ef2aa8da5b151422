module github.com/recycling-go/recycling/adapters/nats

go 1.25.0

require (
	github.com/nats-io/nats.go v1.51.0
	github.com/nats-io/nuid v1.0.1
	github.com/recycling-go/recycling/core v0.0.0
)

require (
	github.com/alitto/pond/v2 v2.7.1 // indirect
	github.com/klauspost/compress v1.18.5 // indirect
	github.com/nats-io/nkeys v0.4.15 // indirect
	golang.org/x/crypto v0.49.0 // indirect
	golang.org/x/sys v0.42.0 // indirect
)

replace (
	github.com/recycling-go/recycling/core => ../../core
	github.com/recycling-go/recycling/listener => ../../listener
)
