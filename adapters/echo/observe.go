package recyclingecho

import (
	"context"

	"github.com/labstack/echo/v4"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// ObserveRoutes is a middleware that tells the Observer of the Server the path of the route: see
// [observe.SetRoute]. [New], [Use] and the functions built on them add it by Echo.Pre if an option
// sets an Observer. Other applications add it themselves:
//
//	e.Pre(recyclingecho.ObserveRoutes)
func ObserveRoutes(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		defer func() { observe.SetRoute(c.Request().Context(), c.Path()) }()
		return next(c)
	}
}

// observeRoutes makes s observe the routes of e, if it has an Observer.
func observeRoutes(s *recycling.Server, e *echo.Echo) {
	if s.Observer != nil {
		e.Pre(ObserveRoutes)
	}
}

// ProfileRoutes is a middleware that labels what handlers do with the path of their route: see
// [observe.WithProfileLabels].
//
//	e.Use(recyclingecho.ProfileRoutes)
func ProfileRoutes(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		r := c.Request()
		observe.WithProfileLabels(r.Context(), r.Method, c.Path(), func(ctx context.Context) {
			c.SetRequest(r.WithContext(ctx))
			err = next(c)
		})
		return err
	}
}
