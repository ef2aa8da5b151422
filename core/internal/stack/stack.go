// Package stack finds out what Go tells only in a stack trace. It depends on names and texts that
// Go does not guarantee: the tests fail if a version of Go changes them.
package stack

import (
	"bytes"
	"runtime"
	"strings"
)

// Locked reports whether the calling goroutine is locked to its thread. It takes more than a
// microsecond. buf needs room for the first line of a stack trace: 64 bytes.
func Locked(buf []byte) bool {
	head, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte(":"))
	return bytes.Contains(head, []byte("locked to thread"))
}

// Caller returns the first frame above its caller whose function does not have one of the prefixes.
func Caller(except ...string) runtime.Frame {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)]) // without it and its caller
	frame, more := frames.Next()
	for more && hasPrefix(frame.Function, except) {
		frame, more = frames.Next()
	}
	return frame
}

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// CalledByLimit reports whether an http.MaxBytesReader calls the function that is skip frames above
// the caller of CalledByLimit, and no io.LimitedReader calls that MaxBytesReader.
func CalledByLimit(skip int) bool {
	const limit = "net/http.(*maxBytesReader).Read"
	var pc [4]uintptr
	// This skips Callers, CalledByLimit and its caller.
	frames := runtime.CallersFrames(pc[:runtime.Callers(3+skip, pc[:])])
	frame, more := frames.Next()
	if frame.Function != limit {
		return false
	}
	for more && frame.Function == limit {
		frame, more = frames.Next()
	}
	return frame.Function != "io.(*LimitedReader).Read"
}
