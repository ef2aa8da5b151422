package recyclinggin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/recycling-go/recycling/core/offload"
)

// Offload is a middleware that has p bound how many of the handlers behind it run at the same time, so that heavy ones leave
// room for the others. A request that p has no room for is aborted with 503 and Retry-After, and p's error is
// in c.Errors.
//
//	engine.GET("/report", recyclinggin.Offload(p), report)
func Offload(p *offload.Pool) gin.HandlerFunc {
	return func(c *gin.Context) {
		r, release, err := p.AdmitRequest(c.Request)
		if err != nil {
			if after := offload.RetryAfter(err); after != "" {
				c.Header("Retry-After", after)
			}
			c.AbortWithError(http.StatusServiceUnavailable, err)
			return
		}
		defer release()
		c.Request = r
		c.Next()
	}
}
