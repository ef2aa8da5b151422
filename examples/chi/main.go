// Command chi is the example application with chi. See the package comment of examples.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
)

func main() {
	app.Main(func(a *app.App) error {
		return recyclingchi.Serve(routes(a), recycling.Addr(a.Addr))
	})
}

func routes(a *app.App) chi.Router {
	r := chi.NewRouter()
	r.Use(middleware.RequestID)
	if a.Log {
		r.Use(middleware.Logger)
	}
	r.Use(middleware.Recoverer)
	r.Get("/yo", yo)
	r.Get("/sleep/{ms}", sleep)
	r.Get("/work/{ms}", work)
	r.Post("/echo", echo)
	r.Get("/events", events)
	r.Get("/download", download(a.File))
	r.Get("/stats", stats)
	return r
}

func text(w http.ResponseWriter, format string, values ...any) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, format, values...)
}

func yo(w http.ResponseWriter, r *http.Request) {
	if name := r.URL.Query().Get("name"); name != "" {
		text(w, "Hey %s!", name)
		return
	}
	text(w, "Hey!")
}

func sleep(w http.ResponseWriter, r *http.Request) {
	d, err := app.Millis(chi.URLParam(r, "ms"), app.MaxSleep)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if app.Sleep(r.Context(), d) {
		text(w, "slept %v", d)
	}
}

func work(w http.ResponseWriter, r *http.Request) {
	d, err := app.Millis(chi.URLParam(r, "ms"), app.MaxWork)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	app.Work(d)
	text(w, "worked %v", d)
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", app.ContentType(r))
	if err := app.Echo(w, r); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func events(w http.ResponseWriter, r *http.Request) {
	n, err := app.Events(r.URL.Query().Get("n"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	c := http.NewResponseController(w)
	for i := 1; ; i++ {
		fmt.Fprintf(w, "data: %d\n\n", i)
		if c.Flush() != nil || i == n || !app.NextEvent(r.Context()) {
			return
		}
	}
}

func download(f *app.File) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := app.Bytes(r.URL.Query().Get("bytes"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		if err := f.SendTo(w, n); err != nil { // chi's response writers keep ReadFrom
			panic(http.ErrAbortHandler)
		}
	}
}

func stats(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(recycling.FromContext(r.Context()).Stats())
}
