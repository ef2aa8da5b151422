// Package route is how a router tells the server which route serves a request: see
// observe.SetRoute.
package route

// Key is the context key of a request's Setter. There is none unless the request is observed.
type Key struct{}

// A Setter takes the pattern of a route. SetRoute may be called at any time.
type Setter interface{ SetRoute(pattern string) }
