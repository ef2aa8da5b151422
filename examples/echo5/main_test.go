package main

import (
	"testing"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
	"github.com/recycling-go/recycling/examples/internal/apptest"
)

func TestRoutes(t *testing.T) {
	apptest.Run(t, func(a *app.App, options ...recycling.Option) *recycling.Server {
		return recyclingecho.New(routes(a), options...)
	})
}
