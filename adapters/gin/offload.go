package recyclinggin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/recycling-go/recycling/core/offload"
)

// Offload is a middleware that lets p bound how many of the handlers behind it run at the same
// time, so that heavy handlers leave room for the others. If p is full, the request is aborted with
// status 503 and a Retry-After header, and c.Errors has p's error.
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
