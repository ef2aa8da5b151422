package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	// maxUploads is how many uploads may be under way, each with up to maxBytes in memory.
	maxUploads = 64

	maxUploadTime = 30 * time.Second
)

//go:embed page
var page embed.FS

// An app has the handlers.
type app struct {
	place      *workplace
	name       string        // of the place
	uploads    chan struct{} // has a value for each upload that is under way
	uploadTime time.Duration // how long a client may take to send a picture
}

func routes(c config, p *workplace) chi.Router {
	a := &app{place: p, name: c.place, uploads: make(chan struct{}, maxUploads), uploadTime: maxUploadTime}
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, middleware.GetHead, http.NewCrossOriginProtection().Handler, secure)
	for path, file := range map[string]string{"/": "index.html", "/page.css": "page.css", "/page.js": "page.js"} {
		r.Get(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, page, "page/"+file) })
	}
	r.Get("/settings", a.settings)
	r.Group(func(r chi.Router) {
		r.Use(a.limit)
		r.Post("/thumbnail", a.now)
		r.Post("/thumbnail/progress", a.progress)
		r.Post("/thumbnail/later", a.later)
	})
	if p.nats != nil {
		r.Mount("/later", http.StripPrefix("/later", p.nats.StatusHandler()))
	}
	return r
}

// secure lets the page load only what comes from here.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// limit refuses an upload while maxUploads others are under way. The bounds of the place are not
// enough: they hold only for uploads that have been read.
func (a *app) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.uploads <- struct{}{}:
			defer func() { <-a.uploads }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Connection", "close") // otherwise the body is read before the response is sent
			http.Error(w, "too many uploads at present", http.StatusServiceUnavailable)
		}
	})
}

// settings tells the page what it can do.
func (a *app) settings(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	respond(w, map[string]any{"place": a.name, "later": a.place.nats != nil, "maxBytes": maxBytes, "maxPixels": maxPixels})
}

// upload returns the picture in the body, if it is one of which a thumbnail can be made. Otherwise
// it responds.
func (a *app) upload(w http.ResponseWriter, r *http.Request) (picture []byte, ok bool) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Now().Add(a.uploadTime))
	picture, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
	c.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		http.Error(w, "the picture has more than "+strconv.Itoa(maxBytes>>20)+" MiB", http.StatusRequestEntityTooLarge)
		return nil, false
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		http.Error(w, "the upload took more than "+a.uploadTime.String(), http.StatusRequestTimeout)
		return nil, false
	case err != nil:
		http.Error(w, "the upload is incomplete", http.StatusBadRequest)
		return nil, false
	}
	switch _, err := check(picture); {
	case errors.Is(err, errPixels):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return nil, false
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
		return nil, false
	}
	return picture, true
}

// now responds with the thumbnail.
func (a *app) now(w http.ResponseWriter, r *http.Request) {
	picture, ok := a.upload(w, r)
	if !ok {
		return
	}
	t, err := shrinking.Do(r.Context(), a.place, picture)
	if text := problem(err); text != "" {
		http.Error(w, text, http.StatusUnprocessableEntity)
		return
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", t.Type)
	w.Header().Set("X-Made-By", t.maker.String())
	w.Write(t.Picture)
}

// progress responds with the events of the stream.
func (a *app) progress(w http.ResponseWriter, r *http.Request) {
	picture, ok := a.upload(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx passes each event on at once
	err := following.Do(r.Context(), a.place, picture, w)
	if err != nil && problem(err) == "" { // a problem is the last event
		fail(w, r, err)
	}
}

// later responds with an id. The same picture always has the same id.
func (a *app) later(w http.ResponseWriter, r *http.Request) {
	if a.place.nats == nil {
		http.Error(w, "only an application with the place "+inNATS+" keeps pictures", http.StatusNotFound)
		return
	}
	picture, ok := a.upload(w, r)
	if !ok {
		return
	}
	sum := sha256.Sum256(picture)
	id, err := recyclingnats.Enqueue(r.Context(), a.place.nats, shrinking, picture,
		recyclingnats.EnqueueOptions{Key: hex.EncodeToString(sum[:])})
	if err != nil {
		fail(w, r, err)
		return
	}
	recyclingnats.Accepted(w, id, "/later/"+id)
}

// fail responds to an error that is not due to the picture. If a part of a stream has been sent, it
// cuts off the response with a panic: see [task.Fail].
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil && offload.RetryAfter(err) == "" { // neither gone nor refused
		slog.Error("thumbnails: no thumbnail was made", "path", r.URL.Path, "error", err)
	}
	task.Fail(w, err, nil)
}

func respond(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
