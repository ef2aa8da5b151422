//go:build unix

package upgrade_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/adapters/upgrade"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// roleEnv is set in the environment of servers, to the JSON of a role.
const roleEnv = "RECYCLING_UPGRADE_TEST"

// A role says what a server process does.
type role struct {
	Listen   []string // network, a space, and the address; TLS if "tls" stands for the network
	PIDFile  string
	Timeout  time.Duration
	IdleTime time.Duration
	Signal   syscall.Signal
	Cert     string // the certificate and key
	Plan     string // a file that says what processes do that start from now on
	States   string // a file to which the states of Notify are appended
	Strategy recycling.Strategy
	Manual   bool          // Ready and Done instead of Run
	OnDrain  time.Duration // how long OnDrain takes; zero means none
	Proxies  bool          // clients may send the header of the PROXY protocol
}

const tcpDeferAccept = 9 // TCP_DEFER_ACCEPT of Linux

// Contents of role.Plan.
const (
	planServe     = "serve"
	planExit      = "exit before ready"
	planHang      = "hang before ready"
	planHalf      = "one listener never serves"
	planBadCert   = "certificate missing"
	planFirst     = "only the first listener"
	planBadPID    = "PID file in a folder that does not exist"
	planSlowReady = "take a second"
)

func serverMain() int {
	var r role
	if err := json.Unmarshal([]byte(os.Getenv(roleEnv)), &r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := r.serve(); err != nil {
		fmt.Fprintf(os.Stderr, "pid=%d ended: %v\n", os.Getpid(), err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "pid=%d ended well\n", os.Getpid())
	return 0
}

func (r *role) handler(first *net.Listener) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Pid", strconv.Itoa(os.Getpid()))
		w.Header().Set("Peer", req.RemoteAddr)
		body, err := io.ReadAll(req.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "%s %s", req.Method, body)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, req *http.Request) {
		d, _ := time.ParseDuration(req.URL.RawQuery)
		select {
		case <-time.After(d):
		case <-req.Context().Done():
		}
		w.Header().Set("Pid", strconv.Itoa(os.Getpid()))
		io.WriteString(w, "slept")
	})
	mux.HandleFunc("/defer", func(w http.ResponseWriter, req *http.Request) {
		rc, err := (*first).(syscall.Conn).SyscallConn()
		if err == nil {
			err = rc.Control(func(fd uintptr) {
				n, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpDeferAccept)
				fmt.Fprint(w, n > 0, err)
			})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, req *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer nc.Close()
		io.WriteString(nc, "hijacked\n")
		<-recycling.FromContext(req.Context()).Draining()
		time.Sleep(time.Second) // longer than it takes to notice that no connection is left
		io.WriteString(nc, "bye\n")
	})
	mux.HandleFunc("/parked", func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprint(w, recycling.FromContext(req.Context()).Stats().Parked)
	})
	return mux
}

func (r *role) serve() error {
	plan, err := os.ReadFile(r.Plan)
	if err != nil {
		return err
	}
	c := upgrade.Config{
		Signal:   r.Signal,
		PIDFile:  r.PIDFile,
		Timeout:  r.Timeout,
		IdleTime: r.IdleTime,
		Log:      slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", os.Getpid()),
	}
	if r.Signal == 0 {
		c.Signal = nil
	}
	if r.States != "" {
		c.Notify = func(state string) error {
			f, err := os.OpenFile(r.States, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = fmt.Fprintf(f, "%s;", strings.ReplaceAll(state, "\n", ","))
			return err
		}
	}
	if string(plan) == planBadPID {
		c.PIDFile = "/nonexistent/pid"
	}
	u, err := upgrade.New(c)
	if err != nil {
		return err
	}
	switch string(plan) {
	case planExit:
		return errors.New("planned")
	case planHang:
		fmt.Fprintf(os.Stderr, "pid=%d initializes\n", os.Getpid())
		time.Sleep(time.Hour)
	case planSlowReady:
		fmt.Fprintf(os.Stderr, "pid=%d initializes\n", os.Getpid())
		time.Sleep(time.Second)
	}
	var first net.Listener
	srv := &recycling.Server{
		HTTP:         &http.Server{Handler: r.handler(&first)},
		Strategy:     r.Strategy,
		Log:          c.Log,
		DrainTimeout: 10 * time.Second,
	}
	if r.Proxies {
		srv.ProxyProtocol = &proxyproto.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Optional: true}
	}
	if r.OnDrain > 0 {
		srv.OnDrain = func(ctx context.Context) {
			select {
			case <-time.After(r.OnDrain):
				fmt.Fprintf(os.Stderr, "pid=%d OnDrain is done\n", os.Getpid())
			case <-ctx.Done():
				fmt.Fprintf(os.Stderr, "pid=%d OnDrain was cut off\n", os.Getpid())
			}
		}
	}
	var serve []func() error
	if string(plan) == planFirst {
		r.Listen = r.Listen[:1]
	}
	for _, text := range r.Listen {
		network, addr, _ := strings.Cut(text, " ")
		secure := network == "tls"
		if secure {
			network = "tcp"
		}
		l, err := r.listen(u, network, addr)
		if err != nil {
			return err
		}
		if first == nil {
			first = l
		}
		serve = append(serve, func() error {
			switch {
			case secure && string(plan) == planBadCert:
				return srv.ServeTLS(l, "/nonexistent", "/nonexistent")
			case secure:
				return srv.ServeTLS(l, r.Cert, r.Cert)
			}
			return srv.Serve(l)
		})
	}
	if string(plan) == planHalf {
		serve[len(serve)-1] = func() error { select {} }
	}
	if r.Manual {
		return manual(u, srv.HTTP, first)
	}
	return u.Run(context.Background(), srv, serve...)
}

func (r *role) listen(u *upgrade.Upgrader, network, addr string) (net.Listener, error) {
	if network != "named" {
		return u.Listen(network, addr)
	}
	return u.Listener("a name", func() (*listener.Listener, error) {
		return listener.Listen(context.Background(), "tcp", addr)
	})
}

// manual serves as an application does that calls its own http.Server.
func manual(u *upgrade.Upgrader, srv *http.Server, l net.Listener) error {
	recycling.Use(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	if err := u.Ready(); err != nil {
		return err
	}
	<-u.Done()
	if err := srv.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
