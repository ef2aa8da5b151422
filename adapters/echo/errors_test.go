package recyclingecho_test

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
)

func TestUnknownServerIsNotServed(t *testing.T) {
	for name, s := range map[string]*http.Server{
		"plain": {Addr: "127.0.0.1:0"},
		"TLS":   {Addr: "127.0.0.1:0", TLSConfig: new(tls.Config)},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEcho()
			recyclingecho.Use(e)
			if err := e.StartServer(s); !errors.Is(err, recyclingecho.ErrServer) {
				t.Errorf("StartServer returned %v, want %v", err, recyclingecho.ErrServer)
			}
			if a, b := e.ListenerAddr(), e.TLSListenerAddr(); a != nil || b != nil {
				t.Errorf("it listens on %v, %v, want nowhere", a, b)
			}
		})
	}
	e := newEcho()
	recyclingecho.UseServer(e, new(http.Server))
	if err := e.Start("127.0.0.1:0"); !errors.Is(err, recyclingecho.ErrServer) {
		t.Errorf("Start returned %v, want %v", err, recyclingecho.ErrServer)
	}
}

// TestStartReturnsTheErrorOfListening starts e with one address after another, which echo allows.
func TestStartReturnsTheErrorOfListening(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for _, hidePort := range []bool{false, true} {
			e := newEcho()
			e.HidePort = hidePort
			want := e.Start(taken.Addr().String())
			e.Listener = nil
			recyclingecho.Use(e, with(strategy))
			if err := e.Start(taken.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) || !strings.HasSuffix(err.Error(), want.Error()) {
				t.Errorf("Start returned %v, want, as without Use, %v", err, want)
			}
			if a := e.ListenerAddr(); a != nil {
				t.Errorf("then ListenerAddr returned %v, want nil", a)
			}
			served := make(chan error, 1)
			go func() { served <- e.Start("127.0.0.1:0") }()
			get(t, "http://"+started(t, e.ListenerAddr).String()+"/none")
			ends(t, served, e.Close)
		}
	})
}

func TestStartReturnsTheErrorOfSettings(t *testing.T) {
	e := newEcho()
	e.ListenerNetwork = "unix"
	recyclingecho.Use(e)
	if err := e.Start("127.0.0.1:0"); err != echo.ErrInvalidListenerNetwork {
		t.Errorf("with the network unix Start returned %v, want %v", err, echo.ErrInvalidListenerNetwork)
	}
	e = newEcho()
	recyclingecho.Use(e, with("threads"))
	if err := e.Start("127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), `"threads"`) {
		t.Errorf("with the strategy threads Start returned %v, want an error that names it", err)
	}
}
