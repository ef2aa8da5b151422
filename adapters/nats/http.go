package recyclingnats

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// answerWithin is how long a handler of this file waits for NATS.
const answerWithin = 5 * time.Second

// Accepted responds that a task has been enqueued: 202, the id in JSON, and location in the header
// Location, where [Client.StatusHandler] may be.
func Accepted(w http.ResponseWriter, id, location string) {
	w.Header().Set("Location", location)
	respond(w, http.StatusAccepted, Status{ID: id, State: Queued})
}

// StatusHandler serves the [Status] of an enqueued task at /ID, as JSON, and its output at
// /ID/result. While the task is not done, /ID/result is 404. If it was given up, that is 500 with
// its Status. Whoever knows an id may ask: ids are unguessable, except for those of tasks with a
// guessable key. Mount it with [http.StripPrefix].
func (c *Client) StatusHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{id}", c.serveStatus)
	mux.HandleFunc("GET /{id}/result", c.serveResult)
	return mux
}

func (c *Client) serveStatus(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	s, err := c.Status(ctx, r.PathValue("id"))
	if err != nil {
		c.fail(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	respond(w, http.StatusOK, s)
}

func (c *Client) serveResult(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	output, err := c.Result(ctx, r.PathValue("id"))
	var dead *task.Error
	if errors.As(err, &dead) {
		respond(w, http.StatusInternalServerError, Status{
			ID: r.PathValue("id"), Task: dead.Task, State: Dead, Code: dead.Code, Message: dead.Message,
		})
		return
	}
	if err != nil {
		c.fail(w, err)
		return
	}
	kind := "application/octet-stream"
	if json.Valid(output) {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(output)
}

// DeadHandler lists dead letters as JSON at GET /?from=SEQUENCE&limit=N, enqueues one again at POST
// /ID/retry, and deletes one at DELETE /ID. It refuses cross-site requests. It has no other
// protection: mount it on an internal address.
func (c *Client) DeadHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.serveDead)
	mux.HandleFunc("POST /{id}/retry", func(w http.ResponseWriter, r *http.Request) {
		c.changeDead(w, r, c.RetryDead)
	})
	mux.HandleFunc("DELETE /{id}", func(w http.ResponseWriter, r *http.Request) {
		c.changeDead(w, r, c.DeleteDead)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

func (c *Client) serveDead(w http.ResponseWriter, r *http.Request) {
	from, limit := uint64(0), 100
	var err error
	if s := r.FormValue("from"); s != "" {
		if from, err = strconv.ParseUint(s, 10, 64); err != nil {
			http.Error(w, "from is not a number", http.StatusBadRequest)
			return
		}
	}
	if s := r.FormValue("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 {
			http.Error(w, "limit is not a number above zero", http.StatusBadRequest)
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	list, err := c.Dead(ctx, from, limit)
	if err != nil {
		c.fail(w, err)
		return
	}
	respond(w, http.StatusOK, list)
}

func (c *Client) changeDead(w http.ResponseWriter, r *http.Request, f func(context.Context, string) error) {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	if err := f(ctx, r.PathValue("id")); err != nil {
		c.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// BacklogHandler serves the backlogs as JSON, for the metrics-api scaler of KEDA: tasks without a
// backlog are in it too, since a value that is missing is an error there.
//
//	{"enqueued": 3, "calls": 1, "oldestSeconds": 12.5,
//	 "tasks": {"shrink": {"enqueued": 3, "calls": 1, "oldestSeconds": 12.5}}}
//
// The package comment has a ScaledObject.
func (c *Client) BacklogHandler(tasks *task.Set) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		list, err := c.Backlog(ctx)
		if err != nil {
			c.fail(w, err)
			return
		}
		d := backlogDocument{Tasks: map[string]*backlogCounts{}}
		for _, name := range tasks.Names() {
			d.Tasks[name] = &backlogCounts{}
		}
		for _, b := range list {
			one := backlogCounts{b.Enqueued, b.Calls, b.Oldest.Seconds()}
			d.Tasks[b.Task] = &one
			d.Enqueued += one.Enqueued
			d.Calls += one.Calls
			d.Oldest = max(d.Oldest, one.Oldest)
		}
		w.Header().Set("Cache-Control", "no-store")
		respond(w, http.StatusOK, d)
	})
}

type backlogCounts struct {
	Enqueued int     `json:"enqueued"`
	Calls    int     `json:"calls"`
	Oldest   float64 `json:"oldestSeconds"`
}

type backlogDocument struct {
	backlogCounts
	Tasks map[string]*backlogCounts `json:"tasks"`
}

func respond(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// fail responds with an error of this package.
func (c *Client) fail(w http.ResponseWriter, err error) {
	code := http.StatusServiceUnavailable
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotDone) {
		code = http.StatusNotFound
	} else {
		c.log.Warn("recyclingnats: cannot answer a request", "error", err)
		w.Header().Set("Retry-After", offload.RetryAfter(c.shed(ErrAway)))
	}
	http.Error(w, http.StatusText(code), code)
}
