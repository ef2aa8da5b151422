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
			r, release, err := p.AdmitRequest(c.Request())
			if err != nil {
				if after := offload.RetryAfter(err); after != "" {
					c.Response().Header().Set(echo.HeaderRetryAfter, after)
				}
				return echo.NewHTTPError(http.StatusServiceUnavailable).SetInternal(err)
			}
			defer release()
			c.SetRequest(r)
			return next(c)
		}
	}
}
