package pool_test

import "syscall"

func cputime() int64 {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}
func cpu(c int64) float64 { return float64(cputime() - c) }
