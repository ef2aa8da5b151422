package pools

import (
	"crypto/sha256"
	"os"
	"runtime"
	"slices"
	"time"
)

// A job is a function that workers run repeatedly.
type job struct {
	name string
	what string
	work func()
}

// empty is the name of the job that does nothing, so that all the cost is the pool's.
const empty = "empty"

// jobs are the jobs of wpool's benchmarks, and one that sleeps. Each is so short that the cost of
// the pool is noticeable.
var jobs = []job{
	{empty, "nothing", func() {}},
	{"sha256", "the SHA-256 of 8 KiB", hash},
	{"cpu", "a loop of 100,000 multiplications", multiply},
	{"io", "to open, read and close the null device", readNothing},
	{"sleep", "1 ms of sleep", func() { time.Sleep(time.Millisecond) }},
}

func jobNames() (names []string) {
	for _, j := range jobs {
		names = append(names, j.name)
	}
	return names
}

// jobOf returns the job with the given name.
func jobOf(name string) (j job, ok bool) {
	i := slices.IndexFunc(jobs, func(j job) bool { return j.name == name })
	if i < 0 {
		return job{}, false
	}
	return jobs[i], true
}

var data = make([]byte, 8<<10)

func hash() { sha256.Sum256(data) }

func multiply() {
	x := 0
	for i := range 100_000 {
		x += i * i
	}
	runtime.KeepAlive(x) // keeps the compiler from removing the loop
}

func readNothing() {
	f, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	var b [1]byte
	f.Read(b[:]) // reads nothing and returns io.EOF
	f.Close()
}
