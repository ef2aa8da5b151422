// Package wait is how a handler tells the server that it waits: see offload.Waiting.
package wait

// Key is the context key of a request's Waiter. Requests that net/http serves have none.
type Key struct{}

// A Waiter calls f, and meanwhile does not count the handler of its request among those at work. It
// may be called at any time.
type Waiter interface{ Wait(f func()) }
