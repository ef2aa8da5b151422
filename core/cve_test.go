package recycling_test

import (
	"go/version"
	"runtime"
	"strings"
	"testing"
)

// The tests in files whose names begin with "cve" are named after bugs of net/http and of other servers. They send what went
// wrong there to this server, and to net/http itself where that is right about it:
//
//	cve_framing_test.go    where a request ends: net/http
//	cve_servers_test.go    the same: fasthttp, hertz, nbio, Netty, Jetty
//	cve_limits_test.go     what it may cost
//	cve_lifecycle_test.go  connections and workers: time, reuse, shutdown
//	cve_http2_test.go      HTTP/2
//	cve_tls_test.go        TLS

// fixedIn reports whether the toolchain is at least one of these releases, each the first of its branch that has a repair.
func fixedIn(releases ...string) bool {
	have := strings.Fields(runtime.Version())[0]
	if !version.IsValid(have) {
		return true // built from source: who knows
	}
	for _, first := range releases {
		if version.Lang(have) == version.Lang(first) {
			return version.Compare(have, first) >= 0
		}
	}
	return version.Compare(have, releases[0]) > 0
}

// What package crypto/tls and the rest of the standard library did wrong is right only with a toolchain that is new enough. This is no failure of
// the server, so it is only told.
func TestSecurityGate_Toolchain(t *testing.T) {
	if !fixedIn("go1.26.8") {
		t.Skipf("%s lacks repairs of net/http, crypto/tls and others: build with go1.26.8 or later", runtime.Version())
	}
}
