package server

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// pause does the work of /sleep/MS.
func pause(ms string) error {
	n, err := parseMS(ms)
	time.Sleep(time.Duration(n) * time.Millisecond)
	return err
}

// compute does the work of /work/MS.
func compute(ms string, rounds int) error {
	n, err := parseMS(ms)
	spin(n * rounds)
	return err
}

var errMS = errors.New("want a number of milliseconds up to 65535")

// parseMS parses and bounds the milliseconds that a request may ask for.
func parseMS(ms string) (int, error) {
	n, err := strconv.ParseUint(ms, 10, 16)
	if err != nil {
		return 0, errMS
	}
	return int(n), nil
}

// binary is the content type of /bytes/N, so that no server has to guess it.
const binary = "application/octet-stream"

// contents are what /bytes/N answers with. Nobody changes them.
var contents = bytes.Repeat([]byte("x"), 1<<20)

// content returns the n bytes that /bytes/N answers with.
func content(n string) ([]byte, error) {
	i, err := strconv.ParseUint(n, 10, 32)
	if err != nil || i > uint64(len(contents)) {
		return nil, errors.New("want a number of bytes up to 1048576")
	}
	return contents[:i], nil
}

// length does the work of /upload: it reads a body to its end, and returns the number of its bytes.
func length(body io.Reader) (string, error) {
	n, err := io.Copy(io.Discard, body)
	return strconv.FormatInt(n, 10), err
}
