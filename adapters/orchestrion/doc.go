// Package orchestrion has rules for the tool github.com/DataDog/orchestrion, which instruments
// programs when they are compiled. By these rules, every http.Server of a program is served on
// recycled workers. The code of the program does not change.
//
// An application needs this file beside its go.mod, with the name orchestrion.tool.go:
//
//	//go:build tools
//
//	package tools
//
//	import (
//		_ "github.com/DataDog/orchestrion"
//		_ "github.com/recycling-go/recycling/adapters/orchestrion"
//	)
//
// An application that has been instrumented by orchestrion before has this file already, and needs
// the last import only. The application is then built by the tool. The tool must have the version
// that go.mod requires, and must be compiled with the Go version of the application or a later one:
//
//	go install github.com/DataDog/orchestrion@v1.15.0
//	go get github.com/DataDog/orchestrion@v1.15.0
//	go get github.com/recycling-go/recycling/adapters/orchestrion@VERSION
//	go mod tidy
//	orchestrion go build ./cmd/app
//
// The command "orchestrion pin" makes such a file too, with the rules of Datadog's tracer. If the
// program is built by "go build" without the tool, this package has no effect.
//
// The rules are in orchestrion.yml. They put the hooks of the command recycle, in core/cmd/recycle,
// into net/http, and link package auto, in core/auto, to the program. Its documentation says what
// programs do differently, and which environment variables they read: with
// RECYCLING_STRATEGY=goroutine, every server is served by net/http itself. An application that uses
// package recycling itself keeps what it has configured.
//
// These are the differences from the command recycle:
//
//   - The go.mod of the application requires orchestrion, with all its dependencies, and the
//     modules core and adapters/orchestrion.
//   - "go version -m" does not list the module core, and so govulncheck does not see it in the
//     program, because the go command does not know what the tool adds. It does list it if package
//     main imports this package.
//   - No Go version is refused. The rules have been tested with Go 1.26 and 1.27 and orchestrion
//     1.15.0, which needs Go 1.26. They have not been tested together with rules of others.
package orchestrion

import _ "github.com/recycling-go/recycling/core/auto" // which the rules link
