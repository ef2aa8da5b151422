//go:build unix

package systemd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/adapters/systemd"
	recycling "github.com/recycling-go/recycling/core"
)

// roleEnv is set in the environment of services, to one of the names in roles.
const roleEnv = "RECYCLING_SYSTEMD_TEST"

var roles = map[string]func() error{
	"run":   func() error { return systemd.Run(newServer()) },
	"lame":  runLame,
	"names": serveNames,
	"use":   serveUse,
	"sick":  serveSick,
	"stuck": serveStuck,
	"send":  send,
	"successor": func() error {
		// As an upgrade does: the parent was watched, and this process takes its place.
		os.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getppid()))
		return systemd.Run(newServer())
	},
}

func serviceMain(role string) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err := roles[role](); err != nil {
		fmt.Fprintln(os.Stderr, "ended:", err)
		return 1
	}
	return 0
}

func newServer(options ...recycling.Option) *recycling.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
	})
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) { // until the client is gone
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/parked", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, recycling.FromContext(r.Context()).Stats().Parked)
	})
	return recycling.New(mux, append(options, recycling.Addr(os.Getenv("ADDR")))...)
}

func runLame() error {
	s := newServer()
	s.LameDuck = time.Hour
	return systemd.Run(s)
}

// serveNames takes its sockets by name.
func serveNames() error {
	web, err := systemd.Listener("web")
	if err != nil {
		return err
	}
	again, err := systemd.Listener("web") // of the same name
	if err != nil {
		return err
	}
	rest, err := systemd.Listener("")
	if err != nil {
		return err
	}
	if _, err := systemd.Listener("web"); !errors.Is(err, systemd.ErrNoSocket) {
		return fmt.Errorf("third web: %v", err)
	}
	if all, err := systemd.Listeners(); err != nil || len(all) > 0 {
		return fmt.Errorf("Listeners: %v, %v", all, err)
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if v, ok := os.LookupEnv(name); ok {
			return fmt.Errorf("%s is still %q", name, v)
		}
	}
	if _, err := systemd.Listen(context.Background(), "web", "tcp", "127.0.0.1:0"); !errors.Is(err, systemd.ErrNoSocket) {
		return fmt.Errorf("Listen, though there were sockets: %v", err)
	}
	s := newServer(systemd.Notify)
	go s.Serve(again)
	go s.Serve(rest)
	return s.Run(context.Background(), func() error { return s.Serve(web) })
}

// serveUse is an application with its own http.Server.
func serveUse() error {
	l, err := systemd.Listener("")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: newServer().HTTP.Handler}
	recycling.Use(srv, systemd.Notify)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	<-ctx.Done()
	if err := srv.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveSick has a check of its own, whose result each request for /toggle changes.
func serveSick() error {
	var sick atomic.Bool
	s := newServer(systemd.NotifyWhile(func() error {
		if sick.Load() {
			return errors.New("sick")
		}
		return nil
	}))
	s.HTTP.Handler.(*http.ServeMux).HandleFunc("/toggle", func(http.ResponseWriter, *http.Request) {
		sick.Store(!sick.Load())
	})
	return s.Run(context.Background(), nil)
}

// serveStuck has a server that accepts nothing more after its first connection, until SIGUSR1.
func serveStuck() error {
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	s := newServer(systemd.Notify)
	s.Strategy = recycling.Goroutine // whose hook ConnContext can block accepting
	s.HTTP.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		<-usr1
		return ctx
	}
	return s.Run(context.Background(), nil)
}

func send() error {
	for _, states := range []string{
		"STATUS=one",
		"RELOADING=1",
		fmt.Sprintf("MAINPID=%d\nREADY=1", os.Getpid()),
		"STATUS=two",
		fmt.Sprintf("MAINPID=%d\nREADY=1", os.Getppid()),
		"STOPPING=1",
	} {
		if err := systemd.Send(states); err != nil {
			return err
		}
	}
	return nil
}
