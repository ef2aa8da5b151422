// Package faults exposes a server to what goes wrong in production (clients that stall or vanish,
// handlers that panic or hang, a system without free descriptors, a machine that stops) and checks
// that the server keeps working.
//
// Each row of the table is a fault. It is carried out twice, each time against a separate process:
// once against net/http, and once against recycling with its limits. Both have the same fields of
// http.Server. A process is this executable, which has to call [ServerMain] when its first argument
// is [ServerArg].
//
// After each fault the process must be alive and answer a new connection within 100 ms. It must
// have as many goroutines and descriptors as before, apart from workers that it keeps for the next
// peak, and must have closed or hijacked as many connections as it accepted. A row is "ok" if this
// holds and the fault had the expected effect; otherwise it says what went wrong. "skipped" names
// what this machine lacks, and "not done" means that a row has no check yet.
package faults
