// Command upgrade is a service whose program can be replaced while it runs, without losing a
// request. It also tells systemd what it does.
//
//	go build -o /tmp/app ./examples/upgrade && /tmp/app -pid /tmp/app.pid &
//	go build -o /tmp/app.new ./examples/upgrade && mv /tmp/app.new /tmp/app
//	kill -HUP "$(cat /tmp/app.pid)"
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	"github.com/recycling-go/recycling/adapters/systemd"
	"github.com/recycling-go/recycling/adapters/upgrade"
	recycling "github.com/recycling-go/recycling/core"
)

func main() {
	addr := flag.String("addr", ":8080", "TCP `address` to listen on")
	pidFile := flag.String("pid", "", "`file` for the process ID")
	framework := flag.String("framework", "chi", "chi, echo or gin")
	flag.Parse()
	if err := run(*framework, *addr, *pidFile); err != nil {
		log.Fatal(err)
	}
}

func run(framework, addr, pidFile string) error {
	u, err := upgrade.New(upgrade.Config{PIDFile: pidFile, Notify: systemd.Send})
	if err != nil {
		return err
	}
	srv, err := newServer(framework, recycling.Addr(addr), systemd.Notify)
	if err != nil {
		return err
	}
	return u.Run(context.Background(), srv)
}

// newServer returns a Server for an application of the framework.
func newServer(framework string, options ...recycling.Option) (*recycling.Server, error) {
	hello := fmt.Sprintf("Hey from process %d!\n", os.Getpid())
	switch framework {
	case "chi":
		r := chi.NewRouter()
		r.Get("/", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(hello)) })
		return recyclingchi.New(r, options...), nil
	case "echo":
		e := echo.New()
		e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, hello) })
		return recyclingecho.New(e, options...), nil
	case "gin":
		engine := gin.New()
		engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, hello) })
		return recyclinggin.New(engine, options...), nil
	}
	return nil, fmt.Errorf("framework %q is not chi, echo or gin", framework)
}
