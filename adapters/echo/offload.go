package recyclingecho

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/recycling-go/recycling/core/offload"
)

// Offload is a middleware that has p bound how many of the handlers behind it run at the same time, so that heavy ones leave
// room for the others. A request that p has no room for is an error for echo's error handler: 503, with Retry-After,
// and p's error inside.
//
//	e.GET("/report", report, recyclingecho.Offload(p))
func Offload(p *offload.Pool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			ctx, release, err := p.Admit(c.Request().Context())
			if err != nil {
				if after := offload.RetryAfter(err); after != "" {
					c.Response().Header().Set(echo.HeaderRetryAfter, after)
				}
				return echo.NewHTTPError(http.StatusServiceUnavailable).SetInternal(err)
			}
			defer release()
			if r := c.Request(); ctx.Done() != r.Context().Done() { // there is a Timeout
				timed := r.WithContext(ctx)
				defer func() {
					if f := timed.MultipartForm; f != nil {
						r.MultipartForm = f // of which the server removes the files
					}
				}()
				c.SetRequest(timed)
			}
			return next(c)
		}
	}
}
