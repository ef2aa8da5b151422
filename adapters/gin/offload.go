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
		ctx, release, err := p.Admit(c.Request.Context())
		if err != nil {
			if after := offload.RetryAfter(err); after != "" {
				c.Header("Retry-After", after)
			}
			c.AbortWithError(http.StatusServiceUnavailable, err)
			return
		}
		defer release()
		if r := c.Request; ctx.Done() != r.Context().Done() { // there is a Timeout
			timed := r.WithContext(ctx)
			defer func() {
				if f := timed.MultipartForm; f != nil {
					r.MultipartForm = f // of which the server removes the files
				}
			}()
			c.Request = timed
		}
		c.Next()
	}
}
