package main

import (
	"testing"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
	"github.com/recycling-go/recycling/examples/internal/apptest"
)

func TestRoutes(t *testing.T) {
	apptest.Run(t, func(a *app.App, options ...recycling.Option) *recycling.Server {
		return recyclinggin.New(routes(a), options...)
	})
}
