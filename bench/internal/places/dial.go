package places

import (
	"context"
	"net"

	"github.com/nats-io/nats.go"

	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
)

// A dialer dials hosts for NATS.
type dialer struct{ network *hosts.Network }

// Dial is the method of nats.CustomDialer.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.network.Dial(context.Background(), network, address)
}

// dialThrough lets a client of NATS, which is in the network of this machine, reach the hosts.
func dialThrough(n *hosts.Network) nats.Option { return nats.SetCustomDialer(dialer{n}) }
