package app

import (
	"fmt"
	"strconv"
	"time"
)

// The maximum values that a request may ask for.
const (
	MaxSleep  = time.Minute
	MaxWork   = 10 * time.Second
	MaxEvents = 1000
)

// Millis parses the milliseconds of a path. The error names the value.
func Millis(text string, most time.Duration) (time.Duration, error) {
	n, err := number("ms", text, 0, int64(most/time.Millisecond))
	return time.Duration(n) * time.Millisecond, err
}

// Events parses the number of events that a query asks for. It returns 5 for an empty text.
func Events(text string) (int, error) {
	if text == "" {
		return 5, nil
	}
	n, err := number("n", text, 1, MaxEvents)
	return int(n), err
}

// Bytes parses how many bytes of the file a query asks for. It returns the whole size for an empty
// text.
func Bytes(text string) (int64, error) {
	if text == "" {
		return FileSize, nil
	}
	return number("bytes", text, 0, FileSize)
}

func number(name, text string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is %q, want a number from %d to %d", name, text, least, most)
	}
	return n, nil
}
