package recyclinggin

import (
	"context"

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

// ProfileRoutes is a middleware that labels what handlers do with the path of their route: see
// [observe.WithProfileLabels]. It applies to routes that are added later.
//
//	engine.Use(recyclinggin.ProfileRoutes)
func ProfileRoutes(c *gin.Context) {
	r := c.Request
	observe.WithProfileLabels(r.Context(), r.Method, c.FullPath(), func(ctx context.Context) {
		c.Request = r.WithContext(ctx)
		c.Next()
	})
}
