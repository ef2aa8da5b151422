// Package soak puts a server under stress, and checks that it loses nothing and keeps nothing that
// it should not. [Soak] mixes traffic with random faults, [Overload] sends ten times the load that
// the server can bear, [Crowd] has thousands of clients that hold on to their connections, and
// [Churn] opens a great many short connections.
//
// A balance at the end must hold, or the trial returns an error: each response belongs to its
// request; each accepted connection is closed, hijacked or open; there are as many goroutines and
// descriptors as at the start; memory has not grown; no response is missing. Speed is printed
// beside its target. Overload returns an error if it misses a target; the targets of Crowd are for
// the reader to judge.
//
// The server is a separate process: this executable, started again with [ServerArg].
package soak
