// Package recyclingtest is the behaviour suite of net/http's HTTP/1.x server: what an application
// under a router may rely on, one named claim for each behaviour. Every server that is to
// stand in for net/http must pass it, and net/http itself passes it, as the control.
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
// A [Target] says how to start the server under test and what it deliberately does otherwise.
// The suite speaks to it over a socket only, as raw bytes where bytes matter; it takes hold of
// nothing inside. It therefore also holds for servers that live in another framework.
//
// The behaviours stand in one table for each subject, in the file of that name: keepalive.go,
// body.go, hijack.go and so on. Where RFC 9110 and RFC 9112 demand what net/http does not do,
// strict.go has both answers, and [Target.Strict] chooses.
//
// A wait is bounded by half a minute and ends at the event waited for. Nothing here expects a server to be
// quick, only to get there.
package recyclingtest
