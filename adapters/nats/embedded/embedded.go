// Package embedded starts a NATS server in this process, for
// github.com/recycling-go/recycling/adapters/nats: one command runs everything.
//
//	client, err := recyclingnats.Connect(ctx, recyclingnats.Config{Embedded: embedded.Start})
//
// It is a module of its own, so that an application with a NATS cluster does not contain the
// server.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
)

const readyWithin = 30 * time.Second

// A Server is a NATS server in this process.
type Server struct {
	s    *server.Server
	temp string // folder to be removed at the end
}

// Start starts a server that can be reached only from this process. It keeps streams in the
// directory dir, or in memory if dir is empty. Only one server at a time may use a directory.
func Start(dir string) (recyclingnats.Server, error) {
	temp := ""
	if dir == "" {
		// The server makes some files even if all streams are in memory.
		var err error
		if temp, err = os.MkdirTemp("", "nats-"); err != nil {
			return nil, fmt.Errorf("embedded: %w", err)
		}
		dir = temp
	}
	s, err := StartOptions(&server.Options{
		DontListen: true,
		JetStream:  true,
		StoreDir:   dir,
		NoSigs:     true,
		NoLog:      true,
	})
	if err != nil {
		if temp != "" {
			_ = os.RemoveAll(temp)
		}
		return nil, err
	}
	s.temp = temp
	return s, nil
}

// StartOptions starts a server with any options, for example with addresses for clients and for the
// other servers of a cluster. It returns when the server accepts connections; with a cluster that
// may be before it has a leader.
func StartOptions(o *server.Options) (*Server, error) {
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if !o.NoLog {
		s.ConfigureLogger()
	}
	s.Start()
	if !s.ReadyForConnections(readyWithin) {
		s.Shutdown()
		return nil, fmt.Errorf("embedded: server is not ready after %v", readyWithin)
	}
	if o.JetStream && !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, errors.New("embedded: JetStream did not start: StoreDir cannot be used, or is in use")
	}
	return &Server{s: s}, nil
}

// InProcessConn returns a connection to the server, through memory.
func (s *Server) InProcessConn() (net.Conn, error) { return s.s.InProcessConn() }

// URL returns the address for clients, or an empty text if there is none.
func (s *Server) URL() string {
	if s.s.Addr() == nil {
		return ""
	}
	return s.s.ClientURL()
}

// Close stops the server, and returns when it has ended.
func (s *Server) Close() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
	if s.temp != "" {
		_ = os.RemoveAll(s.temp)
	}
}
