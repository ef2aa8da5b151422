// Package natsnode runs a NATS server that is a member of a cluster, as the main function of a
// process of a trial.
package natsnode

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The ports of the servers, if each has an address of its own.
const (
	Port        = 4222 // for clients
	ClusterPort = 6222 // for the other servers
)

// A Node says what a server is like.
type Node struct {
	Name    string   // the same after a restart
	Addr    string   // for clients
	Cluster string   // for the other servers
	Routes  []string // the Cluster of each server
	Store   string   // the folder of its streams
	Limit   int64    // how large the streams may become, in bytes
}

// Run runs the server until SIGTERM, and calls ready when it accepts clients. It logs to standard
// error.
func (n Node) Run(ready func()) error {
	host, port, err := split(n.Addr)
	if err != nil {
		return err
	}
	clusterHost, clusterPort, err := split(n.Cluster)
	if err != nil {
		return err
	}
	o := &server.Options{
		ServerName:        n.Name,
		Host:              host,
		Port:              port,
		JetStream:         true,
		StoreDir:          n.Store,
		JetStreamMaxStore: n.Limit,
		Cluster:           server.ClusterOpts{Name: "bench", Host: clusterHost, Port: clusterPort},
		Logtime:           true,
	}
	for _, r := range n.Routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: r})
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	go s.Start()
	if !s.ReadyForConnections(15 * time.Second) {
		s.Shutdown()
		return errors.New("natsnode: the server is not ready after 15 seconds")
	}
	ready()
	s.WaitForShutdown()
	return nil
}

// split returns the parts of a TCP address.
func split(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
