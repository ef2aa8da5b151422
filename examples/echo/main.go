// Command echo is the example application with echo. See the package comment of examples.
package main

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
)

func main() {
	app.Main(func(a *app.App) error {
		return recyclingecho.Serve(routes(a), recycling.Addr(a.Addr))
	})
}

func routes(a *app.App) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true // recycling says where it serves
	e.Use(middleware.RequestID())
	if a.Log {
		e.Use(middleware.RequestLogger())
	}
	e.Use(middleware.Recover())
	e.GET("/yo", yo)
	e.GET("/sleep/:ms", sleep)
	e.GET("/work/:ms", work)
	e.POST("/echo", mirror)
	e.GET("/events", events)
	e.GET("/download", download(a.File))
	e.GET("/stats", stats)
	return e
}

func yo(c echo.Context) error {
	if name := c.QueryParam("name"); name != "" {
		return c.String(http.StatusOK, "Hey "+name+"!")
	}
	return c.String(http.StatusOK, "Hey!")
}

func sleep(c echo.Context) error {
	d, err := app.Millis(c.Param("ms"), app.MaxSleep)
	if err != nil {
		return c.String(http.StatusBadRequest, err.Error())
	}
	if !app.Sleep(c.Request().Context(), d) {
		return nil
	}
	return c.String(http.StatusOK, fmt.Sprintf("slept %v", d))
}

func work(c echo.Context) error {
	d, err := app.Millis(c.Param("ms"), app.MaxWork)
	if err != nil {
		return c.String(http.StatusBadRequest, err.Error())
	}
	app.Work(d)
	return c.String(http.StatusOK, fmt.Sprintf("worked %v", d))
}

func mirror(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, app.ContentType(c.Request()))
	if err := app.Echo(c.Response(), c.Request()); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func events(c echo.Context) error {
	n, err := app.Events(c.QueryParam("n"))
	if err != nil {
		return c.String(http.StatusBadRequest, err.Error())
	}
	w := c.Response()
	w.Header().Set(echo.HeaderContentType, "text/event-stream")
	w.Header().Set(echo.HeaderCacheControl, "no-cache")
	for i := 1; ; i++ {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
			return nil // the client is gone
		}
		w.Flush()
		if i == n || !app.NextEvent(c.Request().Context()) {
			return nil
		}
	}
}

func download(f *app.File) echo.HandlerFunc {
	return func(c echo.Context) error {
		n, err := app.Bytes(c.QueryParam("bytes"))
		if err != nil {
			return c.String(http.StatusBadRequest, err.Error())
		}
		w := c.Response()
		w.Header().Set(echo.HeaderContentType, echo.MIMEOctetStream)
		w.Header().Set(echo.HeaderContentLength, strconv.FormatInt(n, 10))
		w.WriteHeader(http.StatusOK)
		if err := f.SendTo(app.Innermost(w), n); err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Size = n
		return nil
	}
}

func stats(c echo.Context) error {
	return c.JSON(http.StatusOK, recycling.FromContext(c.Request().Context()).Stats())
}
