package recycling_test

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	recycling "github.com/recycling-go/recycling/core"
)

// inBubble runs f with a server of in-memory connections. In f and in the server time passes only
// while all goroutines wait, so f can measure it exactly. Each dial returns another client; wrap,
// if it is not nil, changes the server's side.
func inBubble(t *testing.T, s *recycling.Server, h http.HandlerFunc, f func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.HTTP = &http.Server{Handler: h, ErrorLog: quiet().ErrorLog}
		l := newPipeListener()
		serve(s, l)
		f(t, func(wrap func(net.Conn) net.Conn) net.Conn {
			client, server := net.Pipe()
			t.Cleanup(func() { client.Close() })
			if wrap != nil {
				server = wrap(server)
			}
			l.conns <- server
			return client
		})
		s.Close()
	})
}
