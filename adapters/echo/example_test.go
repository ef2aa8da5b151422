package recyclingecho_test

import (
	"log"
	"net/http"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
)

func Example() {
	e := echo.New()
	e.GET("/", func(c echo.Context) error {
		return c.String(http.StatusOK, "Hey Dude!")
	})
	if err := recyclingecho.Serve(e); err != nil { // was: e.Start(":8080")
		log.Fatal(err)
	}
}

func ExampleUse() {
	e := echo.New()
	e.GET("/", func(c echo.Context) error {
		return c.String(http.StatusOK, "Hello, World!")
	})
	recyclingecho.Use(e)
	e.Logger.Fatal(e.Start(":1323"))
}
