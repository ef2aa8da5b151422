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

func ExampleRun() {
	router := gin.Default()
	router.GET("/ping", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"message": "pong"})
	})
	recyclinggin.Run(router) // was: router.Run()
}
