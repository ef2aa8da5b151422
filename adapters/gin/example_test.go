package recyclinggin_test

import (
	"log"
	"net/http"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
)

func Example() {
	engine := gin.New()
	engine.GET("/", func(c *gin.Context) {
		c.String(http.StatusOK, "Hey Dude!")
	})
	if err := recyclinggin.Serve(engine); err != nil { // was: engine.Run()
		log.Fatal(err)
	}
}
