module github.com/recycling-go/recycling/adapters/certs

go 1.25.0

require (
	github.com/fsnotify/fsnotify v1.10.1
	github.com/recycling-go/recycling/core v0.0.0
)

replace (
	github.com/recycling-go/recycling/core => ../../core
	github.com/recycling-go/recycling/listener => ../../listener
)
