package recyclinggin

import (
	"github.com/gin-gonic/gin"

	"github.com/recycling-go/recycling/core/observe"
)

// ObserveRoutes is a middleware that tells the Observer of the Server the path of the route: see
// [observe.SetRoute]. Gin reveals it only to its own middleware, and middleware applies only to
// routes that are added later, so the application adds ObserveRoutes before its routes:
//
//	engine := gin.New()
//	engine.Use(recyclinggin.ObserveRoutes)
func ObserveRoutes(c *gin.Context) {
	observe.SetRoute(c.Request.Context(), c.FullPath())
	c.Next()
}
