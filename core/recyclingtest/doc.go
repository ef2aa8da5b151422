// Package recyclingtest is a behaviour suite for HTTP/1.x servers that stand in for net/http. It
// tests what an application behind a router may rely on. Every behaviour is a named claim. Net/http
// itself passes the suite, as the control.
//
//	func TestBehaviour(t *testing.T) {
//		recyclingtest.Run(t, recyclingtest.Target{
//			Name: "mine",
//			Start: func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
//				…
//			},
//		})
//	}
//
// A [Target] says how to start the server under test and where it deliberately differs. The suite
// talks to it only over a socket, in raw bytes where bytes matter, and does not access its
// internals. It therefore also works for servers inside another framework.
//
// The behaviours are in tables, one for each subject, in the file of that name: keepalive.go,
// body.go, hijack.go and so on. Where net/http does not do what RFC 9110 and RFC 9112 demand,
// strict.go has both outcomes, and [Target.Strict] chooses between them.
//
// Every wait ends with the event that the test waits for, or fails after 30 seconds. No test
// expects a server to be fast.
package recyclingtest
