package recycling_test

import (
	"maps"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// under returns how to start an http.Server of which nobody but its listener knows this project.
func under(name string, strategy recycling.Strategy, listen func() (net.Listener, error), except map[string]string) recyclingtest.Target {
	return recyclingtest.Target{
		Name:   name,
		Strict: true,
		Except: except,
		Start: func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
			l, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			l, err = (&recycling.Server{HTTP: srv, Strategy: strategy}).Listener(l)
			if err != nil {
				t.Fatal(err)
			}
			return recyclingtest.Serve(srv, l)
		},
	}
}

// limits are what a listener under an http.Server cannot do: see Server.Listener.
var limits = map[string]string{
	"baseContextReachesTheHandler":    "BaseContext is called by net/http too",
	"shutdownReturnsTheContextsError": "Shutdown waits whatever its context says",
	"closeDuringShutdownEndsIt":       "the second call to close a listener does not reach it",
}

func TestListener(t *testing.T) {
	except := maps.Clone(limits)
	maps.Copy(except, deferred)
	recyclingtest.Run(t, under("own", recycling.Recycling, listenOwn, except))
}

func TestListenerOnAWrappedListener(t *testing.T) {
	recyclingtest.Run(t, under("wrapped", recycling.Recycling, listenWrapped, limits))
}
