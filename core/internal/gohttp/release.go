package gohttp

import (
	"go/version"
	"runtime"
	"strings"
)

// Changes that security releases have brought to older branches too.
var (
	// ConnectCloses means that the connection of a CONNECT ends with any response.
	ConnectCloses = since("go1.26.9")

	// ConnectHasNoClose means that a 2xx response to CONNECT does not announce that, since the
	// handler may hijack. The response has no Content-Length and no Transfer-Encoding.
	ConnectHasNoClose = since("go1.26.9")

	// OldCloseIsSilent means that an HTTP/1.0 response after which the connection ends has no
	// "Connection" field except the handler's own "close". Before, it could say "keep-alive" or
	// "close".
	OldCloseIsSilent = since("go1.26.9")

	// ExpectedBodyIsRead means that the connection ends with the response to a request with
	// "Expect: 100-continue" unless its body was read to the end. Before, that was so only if the
	// handler had not replaced Request.Body.
	ExpectedBodyIsRead = since("go1.26.11")

	// AnswerClosesBody means that the rest of the body is read and closed when the header of a
	// response is written, so that a later Read returns http.ErrBodyReadAfterClose. Before, an
	// invalid body, or one too long to be read, was left to the handler.
	AnswerClosesBody = since("go1.26.11")

	// LimitSetsNoField means that an http.MaxBytesReader that finds a body too large only ends the
	// connection. Before, it also set "Connection: close" in the handler's header.
	LimitSetsNoField = since("go1.26.11", "go1.27.4")
)

// since reports whether the toolchain is one of the releases, each of which is on its own branch,
// or later. A toolchain that is not a release counts as later.
func since(releases ...string) bool {
	have, _, _ := strings.Cut(runtime.Version(), " ")
	if !version.IsValid(have) {
		return true
	}
	for _, first := range releases {
		if version.Lang(have) == version.Lang(first) {
			return version.Compare(have, first) >= 0
		}
	}
	return version.Compare(have, releases[0]) > 0
}
