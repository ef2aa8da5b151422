// Package roll restarts two servers in turn, behind nginx and HAProxy, while clients send requests,
// and counts the requests that fail. None may fail: that is how a new version is rolled out.
//
//	clients ──► nginx   ──┬──► server A   gets SIGTERM, exits, and starts again;
//	clients ──► HAProxy ──┴──► server B   then it is this one's turn
//
// Both proxies keep connections to the servers open. Half of the requests are POST requests with a
// body, which a proxy must not repeat once it has sent them. So a server must not close a
// connection on which the proxy may be about to send one.
//
// With these settings no request fails (see also nginxConf and haproxyConf):
//
//   - The server has a LameDuck. During that time each response says "Connection: close", so the
//     proxies give up their connections one by one, without a race.
//   - nginx does not check servers by itself: it learns that one is gone when a connection is
//     refused, and then sends the request, which it has not sent yet, to the other server. For this
//     it has proxy_next_upstream with its default, "error timeout". An idle connection that it has
//     kept must be gone before LameDuck ends, so keepalive_timeout in the upstream is shorter than
//     LameDuck. If the checks of another load balancer can shorten LameDuck, it is also shorter
//     than the time without requests that this takes, at least a second. With max_fails=0 nginx
//     does not avoid a server that was just restarted; otherwise, if both servers restart within
//     fail_timeout, it has none left.
//   - The listener is one of package listener: see DropNew there. Each request during LameDuck
//     needs a new connection, so one of them is often about to be accepted when the listener is
//     closed.
//   - HAProxy checks the path of [recycling.Server.Ready]. It must find out within LameDuck: inter
//     times fall is a small part of it. "timeout check" is longer than inter, so that a server
//     which is slow for a moment is not taken for down while the other restarts. If a connection is
//     refused nevertheless, "retries" and "option redispatch" choose the other server.
//
// The control is net/http as its documentation uses it: Shutdown after SIGTERM.
//
// The servers are separate processes: this executable, started again with [ServerArg].
package roll
