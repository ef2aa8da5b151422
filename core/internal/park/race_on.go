//go:build race

package park

// raceEnabled makes the system calls go through package syscall, which tells the race detector that what
// was before a write happens before what is after the read of it: programs rely on that.
const raceEnabled = true
