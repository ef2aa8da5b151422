// Package clock is the monotonic clock of a server: it reads faster than [time.Now], and a time
// takes one word.
package clock

import "time"

var epoch = time.Now()

// Now returns the time in nanoseconds since the program began. It may be negative in package
// testing/synctest, whose clock is behind.
func Now() int64 { return int64(time.Since(epoch)) }

// Time returns the time that Now returned as n.
func Time(n int64) time.Time { return epoch.Add(time.Duration(n)) }
