package recyclingecho

import (
	"github.com/labstack/echo/v5"

	"github.com/recycling-go/recycling/core/offload"
)

// Offload is a middleware that lets p bound how many of the handlers behind it run at the same
// time, so that heavy handlers leave room for the others. If p is full, echo's error handler gets
// an error with status 503 that wraps p's error, and the response has a Retry-After header.
//
//	e.GET("/report", report, recyclingecho.Offload(p))
func Offload(p *offload.Pool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			r, release, err := p.AdmitRequest(c.Request())
			if err != nil {
				if after := offload.RetryAfter(err); after != "" {
					c.Response().Header().Set(echo.HeaderRetryAfter, after)
				}
				return echo.ErrServiceUnavailable.Wrap(err)
			}
			defer release()
			c.SetRequest(r)
			return next(c)
		}
	}
}
