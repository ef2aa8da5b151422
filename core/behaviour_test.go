package recycling_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
	"github.com/recycling-go/recycling/listener"
)

// target returns a Target that starts a Server with a strategy on a listener that listen returns.
func target(name string, strategy recycling.Strategy, listen func() (net.Listener, error), except map[string]string) recyclingtest.Target {
	return recyclingtest.Target{
		Name:         name,
		Strict:       strategy != recycling.Goroutine,
		NoLateWrites: strategy == recycling.Goroutine,
		Except:       except,
		Start: func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
			l, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			return recyclingtest.Serve(&recycling.Server{HTTP: srv, Strategy: strategy}, l)
		},
	}
}

// deferred are the behaviours that do not hold on our own listeners, which do not accept a
// connection before its first byte.
var deferred = map[string]string{
	"closeEndsSilentConnections": "TCP_DEFER_ACCEPT: a silent connection is not accepted, and not told that nobody will",
}

func listenOwn() (net.Listener, error) {
	return listener.Listen(context.Background(), "tcp", "127.0.0.1:0")
}

func listenNet() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// listenWrapped returns a listener that does not look like a socket.
func listenWrapped() (net.Listener, error) {
	l, err := listenNet()
	return struct{ net.Listener }{l}, err
}

func TestRecycling(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, target("own", recycling.Recycling, listenOwn, deferred))
}

func TestRecyclingOnANetListener(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, target("net", recycling.Recycling, listenNet, nil))
}

func TestRecyclingOnAWrappedListener(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, target("wrapped", recycling.Recycling, listenWrapped, nil))
}

func TestPool(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, target("fixed", recycling.Fixed, listenOwn, deferred))
}

func TestGoroutine(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, target("goroutine", recycling.Goroutine, listenOwn, deferred))
}
