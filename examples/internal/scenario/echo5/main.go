// Command echo5 is echo's own example of a graceful shutdown in v5, with one line changed.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
)

func main() {
	// Setup
	e := echo.New()
	e.GET("/", func(c *echo.Context) error {
		time.Sleep(5 * time.Millisecond)
		return c.JSON(http.StatusOK, "OK")
	})

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Start server, and shut it down gracefully with a timeout of 10 seconds at the interrupt
	// signal
	sc := echo.StartConfig{
		Address:         os.Getenv("ADDR"),
		GracefulTimeout: 10 * time.Second,
	}
	if err := recyclingecho.Use(sc).Start(ctx, e); err != nil { // the changed line
		e.Logger.Error("failed to start server", "error", err)
		os.Exit(1)
	}
}
