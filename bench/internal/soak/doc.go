// Package soak tries a server for a long time, with too much, and with clients that misbehave, and says whether it came
// out of that as it went in. [Soak] is mixed traffic with random faults, [Overload] ten times of what the
// server can do, [Crowd] thousands of clients that hold on to what they have, and [Churn] a great many short connections.
//
// What must hold are balances, and one that does not is an error: each answer belongs to its request; connections accepted are
// closed, hijacked or open; goroutines and descriptors go back to where they began; memory does not grow; nothing
// hangs. What is a matter of speed is a figure, with its target beside it.
//
// The server is a process of its own: this executable, started again with [ServerArg].
package soak
