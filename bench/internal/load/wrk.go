package load

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// HasWrk reports whether the command wrk is installed.
func HasWrk() bool {
	_, err := exec.LookPath("wrk")
	return err == nil
}

// A WrkResult is what the command wrk reports.
type WrkResult struct {
	Requests int64   // requests with a response
	Rate     float64 // requests per second
	Errors   int64   // socket errors, and responses other than 2xx and 3xx
}

// Wrk makes the same load as New and Run, with the command wrk, as a second opinion. It rounds d up
// to seconds.
func Wrk(ctx context.Context, addr string, r Request, n int, d time.Duration) (WrkResult, error) {
	seconds := (d + time.Second - 1) / time.Second
	args := []string{
		"-t" + strconv.Itoa(min(2, n)), "-c" + strconv.Itoa(n), fmt.Sprintf("-d%ds", seconds),
		"-H", "Host: localhost",
	}
	if r.Close {
		args = append(args, "-H", "Connection: close")
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, "http://"+addr+r.Path)...).Output()
	if err != nil {
		return WrkResult{}, errors.Join(ctx.Err(), fmt.Errorf("wrk: %w", err))
	}
	return parseWrk(out)
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^ *(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec: *([\d.]+)$`)
	wrkSockets  = regexp.MustCompile(`(?m)^ *Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$`)
	wrkStatus   = regexp.MustCompile(`(?m)^ *Non-2xx or 3xx responses: (\d+)$`)
)

// parseWrk parses the output of wrk. The two lines about errors are only there if there are errors.
func parseWrk(out []byte) (w WrkResult, err error) {
	requests, rate := wrkRequests.FindSubmatch(out), wrkRate.FindSubmatch(out)
	if requests == nil || rate == nil {
		return WrkResult{}, fmt.Errorf("wrk printed %q, want its requests and requests per second", out)
	}
	if w.Rate, err = strconv.ParseFloat(string(rate[1]), 64); err != nil {
		return WrkResult{}, fmt.Errorf("wrk: %w", err)
	}
	w.Requests = integer(requests[1])
	for _, m := range [][][]byte{wrkSockets.FindSubmatch(out), wrkStatus.FindSubmatch(out)} {
		for i := 1; i < len(m); i++ {
			w.Errors += integer(m[i])
		}
	}
	return w, nil
}

// integer parses a number that consists only of digits.
func integer(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64)
	return n
}
