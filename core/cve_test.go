package recycling_test

import (
	"go/version"
	"runtime"
	"strings"
	"testing"
)

// The tests in files whose names begin with "cve" are named after bugs of net/http and of other
// servers. They send the requests that triggered these bugs to this server, and to net/http where
// it handles them correctly:
//
//	cve_framing_test.go    where a request ends: net/http
//	cve_servers_test.go    the same: fasthttp, hertz, nbio, Netty, Jetty
//	cve_limits_test.go     what a request may cost
//	cve_lifecycle_test.go  connections: time, shutdown
//	cve_reuse_test.go      what a request leaves behind: workers, memory, the request itself
//	cve_body_test.go       bodies: read beside the answer, after it, as the connection ends
//	cve_http2_test.go      HTTP/2
//	cve_tls_test.go        TLS

// fixedIn reports whether the toolchain is at least one of these releases, each of which is the
// first release of its branch with a fix.
func fixedIn(releases ...string) bool {
	have := strings.Fields(runtime.Version())[0]
	if !version.IsValid(have) {
		return true // built from source: unknown
	}
	for _, first := range releases {
		if version.Lang(have) == version.Lang(first) {
			return version.Compare(have, first) >= 0
		}
	}
	return version.Compare(have, releases[0]) > 0
}

// Bugs of crypto/tls and the rest of the standard library are only fixed in newer toolchains. That
// is not a bug of this server, so the test only logs them.
func TestSecurityGate_Toolchain(t *testing.T) {
	parallel(t)
	if !fixedIn("go1.26.8") {
		t.Skipf("%s lacks repairs of net/http, crypto/tls and others: build with go1.26.8 or later", runtime.Version())
	}
}
