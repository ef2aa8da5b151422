// Recycle runs the go command so that every http.Server of the programs that it builds is served on
// recycled workers. Nothing of the application changes.
//
//	go run github.com/recycling-go/recycling/core/cmd/recycle@VERSION build ./cmd/app
//
// is go build with an overlay (go help build), in which net/http has hooks and each package main
// imports package auto of core, and with copies of go.mod and go.sum that require core.
package main
