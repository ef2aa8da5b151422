// Command gin is the example application with gin. See the package comment of examples.
package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
)

func main() {
	if os.Getenv(gin.EnvGinMode) == "" {
		gin.SetMode(gin.ReleaseMode) // recycling says where it serves
	}
	app.Main(func(a *app.App) error {
		return recyclinggin.Serve(routes(a), recycling.Addr(a.Addr))
	})
}

func routes(a *app.App) *gin.Engine {
	r := gin.New()
	r.Use(requestID)
	if a.Log {
		r.Use(gin.Logger())
	}
	r.Use(gin.Recovery())
	r.GET("/yo", yo)
	r.GET("/sleep/:ms", sleep)
	r.GET("/work/:ms", work)
	r.POST("/echo", echo)
	r.GET("/events", events)
	r.GET("/download", download(a.File))
	r.GET("/stats", stats)
	return r
}

// requestID sets X-Request-Id in the response to the id of the request, or to a new id if the
// request has none. Gin's own middleware for that is in another module.
func requestID(c *gin.Context) {
	id := c.GetHeader("X-Request-Id")
	if id == "" {
		id = rand.Text()
	}
	c.Header("X-Request-Id", id)
}

func yo(c *gin.Context) {
	if name := c.Query("name"); name != "" {
		c.String(http.StatusOK, "Hey %s!", name)
		return
	}
	c.String(http.StatusOK, "Hey!")
}

func sleep(c *gin.Context) {
	d, err := app.Millis(c.Param("ms"), app.MaxSleep)
	if err != nil {
		c.String(http.StatusBadRequest, "%v", err)
		return
	}
	if app.Sleep(c.Request.Context(), d) {
		c.String(http.StatusOK, "slept %v", d)
	}
}

func work(c *gin.Context) {
	d, err := app.Millis(c.Param("ms"), app.MaxWork)
	if err != nil {
		c.String(http.StatusBadRequest, "%v", err)
		return
	}
	app.Work(d)
	c.String(http.StatusOK, "worked %v", d)
}

func echo(c *gin.Context) {
	c.Header("Content-Type", app.ContentType(c.Request))
	if err := app.Echo(c.Writer, c.Request); err != nil {
		c.Error(err) // gin's Recovery would swallow http.ErrAbortHandler
	}
}

func events(c *gin.Context) {
	n, err := app.Events(c.Query("n"))
	if err != nil {
		c.String(http.StatusBadRequest, "%v", err)
		return
	}
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-cache")
	i := 0
	c.Stream(func(w io.Writer) bool {
		if i > 0 && !app.NextEvent(c.Request.Context()) {
			return false
		}
		i++
		fmt.Fprintf(w, "data: %d\n\n", i)
		return i < n
	})
}

func download(f *app.File) gin.HandlerFunc {
	return func(c *gin.Context) {
		n, err := app.Bytes(c.Query("bytes"))
		if err != nil {
			c.String(http.StatusBadRequest, "%v", err)
			return
		}
		c.Header("Content-Type", "application/octet-stream")
		c.Header("Content-Length", strconv.FormatInt(n, 10))
		c.Writer.WriteHeaderNow()
		if err := f.SendTo(app.Innermost(c.Writer), n); err != nil {
			c.Error(err)
		}
	}
}

func stats(c *gin.Context) {
	c.JSON(http.StatusOK, recycling.FromContext(c.Request.Context()).Stats())
}
