package recycling

import (
	"net"
	"net/http"

	"github.com/recycling-go/recycling/core/internal/attach"
	"github.com/recycling-go/recycling/core/internal/engine"
)

func init() {
	attach.New = func(srv *http.Server) attach.Server {
		return attached{&Server{HTTP: srv, announced: true}}
	}
	attach.IsHost = func(srv *http.Server, l net.Listener) bool { return engine.IsHost(srv) || engine.IsHosted(l) }
	attach.Version = version
}

// An attached is a Server of which the application has only the http.Server.
type attached struct{ *Server }

// Close returns what Close of an http.Server would. That does not say that handlers are still
// running.
func (s attached) Close() error {
	_, err := s.Server.close()
	return err
}
