package recyclingecho_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

func Example() {
	e := echo.New()
	e.GET("/", func(c *echo.Context) error {
		return c.String(http.StatusOK, "Hey Dude!")
	})
	if err := recyclingecho.Serve(e); err != nil { // was: e.Start(":8080")
		log.Fatal(err)
	}
}

// The application's own context, timeout and hooks stay as they are.
func ExampleUse() {
	e := echo.New()
	e.GET("/", func(c *echo.Context) error {
		return c.String(http.StatusOK, "Hello, World!")
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sc := echo.StartConfig{
		Address:         ":1323",
		GracefulTimeout: 5 * time.Second,
		BeforeServeFunc: func(s *http.Server) error {
			s.IdleTimeout = 2 * time.Minute
			return nil
		},
	}
	if err := recyclingecho.Use(sc).Start(ctx, e); err != nil { // was: sc.Start(ctx, e)
		log.Fatal(err)
	}
}

// Without TLS, clients that know that the server supports HTTP/2 use it.
func ExampleUse_unencryptedHTTP2() {
	e := echo.New()
	sc := echo.StartConfig{
		Address: ":1323",
		BeforeServeFunc: func(s *http.Server) error {
			s.Protocols = new(http.Protocols)
			s.Protocols.SetHTTP1(true)
			s.Protocols.SetUnencryptedHTTP2(true)
			return nil
		},
	}
	if err := recyclingecho.Use(sc).Start(context.Background(), e); err != nil {
		log.Fatal(err)
	}
}

func ExampleStarter_StartTLS() {
	e := echo.New()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sc := echo.StartConfig{Address: ":1323"}
	// was: sc.StartTLS(ctx, e, "cert.pem", "key.pem")
	if err := recyclingecho.Use(sc).StartTLS(ctx, e, "cert.pem", "key.pem"); err != nil {
		log.Fatal(err)
	}
}

// The application serves one request and then stops.
func ExampleStarter_Start() {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	e.GET("/", func(c *echo.Context) error {
		strategy := recycling.FromContext(c.Request().Context()).Stats().Strategy
		return c.String(http.StatusOK, "served by strategy "+string(strategy))
	})
	ctx, stop := context.WithCancel(context.Background())
	sc := echo.StartConfig{
		Address: "127.0.0.1:0",
		ListenerAddrFunc: func(addr net.Addr) {
			go func() {
				defer stop()
				resp, err := http.Get("http://" + addr.String())
				if err != nil {
					fmt.Println(err)
					return
				}
				defer resp.Body.Close()
				io.Copy(os.Stdout, resp.Body)
				fmt.Println()
			}()
		},
	}
	options := func(s *recycling.Server) { s.Strategy = recycling.Recycling }
	fmt.Println("ended:", recyclingecho.Use(sc, options).Start(ctx, e))
	// Output:
	// served by strategy recycling
	// ended: <nil>
}

// Echo's ReadTimeout of 30 seconds would end large uploads and idle connections.
func ExampleServe_settings() {
	e := echo.New()
	err := recyclingecho.Serve(e, recycling.Addr(":1323"), func(s *recycling.Server) {
		s.HTTP.ReadTimeout = 0
		s.MaxConnsPerIP = 100
	})
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleOffload() {
	heavy, err := offload.New(offload.Config{Workers: 4})
	if err != nil {
		log.Fatal(err)
	}
	defer heavy.Close()
	e := echo.New()
	e.GET("/report", func(c *echo.Context) error {
		return c.String(http.StatusOK, "a report")
	}, recyclingecho.Offload(heavy))
	if err := recyclingecho.Serve(e, recycling.Addr(":9000")); err != nil {
		log.Fatal(err)
	}
}
