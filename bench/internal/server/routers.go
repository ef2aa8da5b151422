package server

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
)

// A recycler makes a recycling.Server for a router, as its adapter does.
type recycler func(...recycling.Option) *recycling.Server

// routers make the same routes, each for net/http and for package recycling. rounds is the number
// of rounds in a millisecond of work.
var routers = map[string]func(rounds int) (http.Handler, recycler){
	"mux":  newMux,
	"chi":  newChi,
	"echo": newEcho,
	"gin":  newGin,
}

// pause does the work of /sleep/MS.
func pause(ms string) error {
	n, err := parseMS(ms)
	time.Sleep(time.Duration(n) * time.Millisecond)
	return err
}

// compute does the work of /work/MS.
func compute(ms string, rounds int) error {
	n, err := parseMS(ms)
	spin(n * rounds)
	return err
}

var errMS = errors.New("want a number of milliseconds up to 65535")

// parseMS parses and bounds the milliseconds that a request may ask for.
func parseMS(ms string) (int, error) {
	n, err := strconv.ParseUint(ms, 10, 16)
	if err != nil {
		return 0, errMS
	}
	return int(n), nil
}

func newMux(rounds int) (http.Handler, recycler) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /yo", yo)
	mux.HandleFunc("GET /sleep/{ms}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "slept", pause(r.PathValue("ms")))
	})
	mux.HandleFunc("GET /work/{ms}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "worked", compute(r.PathValue("ms"), rounds))
	})
	return mux, func(o ...recycling.Option) *recycling.Server { return recycling.New(mux, o...) }
}

func newChi(rounds int) (http.Handler, recycler) {
	r := chi.NewRouter()
	r.Get("/yo", yo)
	r.Get("/sleep/{ms}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "slept", pause(chi.URLParam(r, "ms")))
	})
	r.Get("/work/{ms}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "worked", compute(chi.URLParam(r, "ms"), rounds))
	})
	return r, func(o ...recycling.Option) *recycling.Server { return recyclingchi.New(r, o...) }
}

func yo(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hey!") }

func answer(w http.ResponseWriter, body string, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	io.WriteString(w, body)
}

func newEcho(rounds int) (http.Handler, recycler) {
	e := echo.New()
	answer := func(c echo.Context, body string, err error) error {
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, err.Error())
		}
		return c.String(http.StatusOK, body)
	}
	e.GET("/yo", func(c echo.Context) error { return c.String(http.StatusOK, "Hey!") })
	e.GET("/sleep/:ms", func(c echo.Context) error { return answer(c, "slept", pause(c.Param("ms"))) })
	e.GET("/work/:ms", func(c echo.Context) error { return answer(c, "worked", compute(c.Param("ms"), rounds)) })
	return e, func(o ...recycling.Option) *recycling.Server { return recyclingecho.New(e, o...) }
}

func newGin(rounds int) (http.Handler, recycler) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	answer := func(c *gin.Context, body string, err error) {
		if err != nil {
			c.String(http.StatusBadRequest, err.Error())
			return
		}
		c.String(http.StatusOK, body)
	}
	engine.GET("/yo", func(c *gin.Context) { c.String(http.StatusOK, "Hey!") })
	engine.GET("/sleep/:ms", func(c *gin.Context) { answer(c, "slept", pause(c.Param("ms"))) })
	engine.GET("/work/:ms", func(c *gin.Context) { answer(c, "worked", compute(c.Param("ms"), rounds)) })
	return engine.Handler(), func(o ...recycling.Option) *recycling.Server { return recyclinggin.New(engine, o...) }
}
