package main

import (
	"testing"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
	"github.com/recycling-go/recycling/examples/internal/apptest"
)

func TestRoutes(t *testing.T) {
	apptest.Run(t, func(a *app.App, options ...recycling.Option) *recycling.Server {
		return recyclingchi.New(routes(a), options...)
	})
}
