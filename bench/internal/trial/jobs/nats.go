package jobs

import (
	"fmt"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/trial/natsnode"
)

// natsMain is the main function of a NATS server.
func natsMain(s setup) error {
	name, _, _ := strings.Cut(s.Name, "/") // of the host, so that it stays the same after a restart
	n := natsnode.Node{Name: name, Addr: s.Addr, Cluster: s.Cluster, Routes: s.Routes, Store: s.Store, Limit: s.Limit}
	return n.Run(func() { fmt.Println(s.Addr) })
}
