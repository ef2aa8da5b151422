package main

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	recyclingprometheus "github.com/recycling-go/recycling/adapters/prometheus"
	"github.com/recycling-go/recycling/adapters/status"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/manage"
)

// internal returns an option that adds the pages for operators, on the address c.admin. The public
// must not reach that address.
func internal(c config, p *workplace, rec *observe.TaskRecorder) recycling.Option {
	reg := prometheus.NewRegistry()
	metrics := recyclingprometheus.MustRegister(reg)
	if err := recyclingprometheus.RegisterTasks(reg, rec); err != nil {
		slog.Error("thumbnails: metrics of tasks: " + err.Error())
	}
	page := status.On(c.admin, func(page *status.Page) {
		page.Tasks(rec)
		page.Handle("/metrics", "Metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
		if p.manager != nil {
			page.Handle("/tasks", "Workers", manage.Handler(p.manager))
		}
		if p.nats != nil {
			page.Handle("/backlog", "Backlog", p.nats.BacklogHandler(&tasks)) // for KEDA
			page.Handle("/dead/", "Dead letters", http.StripPrefix("/dead", p.nats.DeadHandler()))
		}
	})
	return func(s *recycling.Server) {
		metrics(s)
		page(s)
	}
}

// workerRoutes are served on the internal address of a worker.
func workerRoutes(m task.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/tasks", manage.Handler(m))
	return mux
}
