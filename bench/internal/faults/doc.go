// Package faults does to a server what goes wrong in production - clients that stall or vanish, handlers that panic or
// hang, a system that is out of descriptors, a machine that stops - and checks that it goes on.
//
// Each row of the table is a fault. It is carried out against processes of its own: this executable, which has to
// call [ServerMain] when its first argument is [ServerArg]. Once they serve with net/http as an application does, and once with
// recycling and the limits that it has. Both have the same fields of http.Server.
//
// After every fault the process must be alive, answer a new connection within 100 ms, have as many goroutines and
// descriptors as before (workers that a server keeps for the next peak apart), and as many connections accepted as closed and hijacked. A row is "ok" if this holds
// and the fault did what it should; else it says what went wrong. "skipped" says what this machine lacks. A row without a check
// says "not done".
package faults
