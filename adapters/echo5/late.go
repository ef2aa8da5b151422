package recyclingecho

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// A late is a listener that echo gets before the socket is open. The goroutine of Start owns it
// until that calls http.Server.Serve; from then on it does not change.
type late struct {
	net.Listener // nil until it is open
}

func (l *late) open(ctx context.Context, network, address string) error {
	socket, err := listener.Listen(ctx, cmp.Or(network, "tcp"), address)
	if err != nil {
		return err
	}
	l.Listener = socket
	return nil
}

// recycle makes s serve the connections of l, over TLS if config is not nil.
func (l *late) recycle(s *recycling.Server, config *tls.Config) error {
	socket := l.Listener
	if config != nil {
		socket = tls.NewListener(socket, config)
	}
	recycled, err := s.Listener(socket)
	if err != nil {
		return err
	}
	l.Listener = recycled
	return nil
}

// Recycled returns the listener that s.HTTP serves. It is called by the BaseContext that package
// recycling has set on the http.Server.
func (l *late) Recycled() (net.Listener, error) { return l.Listener, nil }

// Close closes the listener. Echo also calls it if opening has failed.
func (l *late) Close() error {
	if l.Listener == nil {
		return nil
	}
	return l.Listener.Close()
}
