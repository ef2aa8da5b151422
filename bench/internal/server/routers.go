package server

import (
	"io"
	"net/http"
	"strconv"

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

func newMux(rounds int) (http.Handler, recycler) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /yo", yo)
	mux.HandleFunc("GET /sleep/{ms}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "slept", pause(r.PathValue("ms")))
	})
	mux.HandleFunc("GET /work/{ms}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "worked", compute(r.PathValue("ms"), rounds))
	})
	mux.HandleFunc("GET /bytes/{n}", func(w http.ResponseWriter, r *http.Request) { write(w, r.PathValue("n")) })
	mux.HandleFunc("POST /upload", upload)
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
	r.Get("/bytes/{n}", func(w http.ResponseWriter, r *http.Request) { write(w, chi.URLParam(r, "n")) })
	r.Post("/upload", upload)
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

// write writes n bytes, and says beforehand how many, as http.ServeContent does.
func write(w http.ResponseWriter, n string) {
	b, err := content(n)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", binary)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

func upload(w http.ResponseWriter, r *http.Request) {
	n, err := length(r.Body)
	answer(w, n, err)
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
	e.GET("/bytes/:n", func(c echo.Context) error {
		b, err := content(c.Param("n"))
		if err != nil {
			return answer(c, "", err)
		}
		c.Response().Header().Set("Content-Length", strconv.Itoa(len(b)))
		return c.Blob(http.StatusOK, binary, b)
	})
	e.POST("/upload", func(c echo.Context) error {
		n, err := length(c.Request().Body)
		return answer(c, n, err)
	})
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
	engine.GET("/bytes/:n", func(c *gin.Context) {
		b, err := content(c.Param("n"))
		if err != nil {
			answer(c, "", err)
			return
		}
		c.Data(http.StatusOK, binary, b)
	})
	engine.POST("/upload", func(c *gin.Context) {
		n, err := length(c.Request.Body)
		answer(c, n, err)
	})
	return engine.Handler(), func(o ...recycling.Option) *recycling.Server { return recyclinggin.New(engine, o...) }
}
