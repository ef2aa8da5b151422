package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/listener"
)

// maxBody is how large a request may be, in bytes.
const maxBody = 32 << 20

// answerLimit is how long NATS may take to answer a question.
const answerLimit = attemptLimit / 2

// A front is an HTTP server that enqueues and calls tasks.
type front struct {
	tasks  *jobTasks
	client *recyclingnats.Client
}

// serverMain is the main function of an HTTP server. Until it is connected to NATS, it responds
// with 503.
func serverMain(s setup) error {
	ctx := context.Background()
	var handler atomic.Pointer[http.ServeMux]
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if mux := handler.Load(); mux != nil {
			mux.ServeHTTP(w, r)
			return
		}
		// A client that still sends its body might not read the response.
		io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
		http.Error(w, "not connected to NATS", http.StatusServiceUnavailable)
	})
	l, err := listener.Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	srv := &recycling.Server{HTTP: &http.Server{Handler: h}}
	fmt.Println(l.Addr())
	return srv.Run(ctx, func() error {
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		client, err := recyclingnats.Connect(ctx, s.config())
		if err != nil {
			return err
		}
		defer client.Close()
		handler.Store((&front{newTasks(notHere), client}).mux())
		if err := s.serves(); err != nil {
			return err
		}
		return <-served
	})
}

// notHere is the function of the tasks in an HTTP server.
func notHere(context.Context, input) (output, error) {
	return output{}, errors.New("the HTTP server runs no tasks")
}

func (f *front) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /enqueue", f.enqueue)
	mux.HandleFunc("GET /jobs/{id}", f.look)
	mux.HandleFunc("POST /jobs/{id}/retry", f.retry)
	mux.HandleFunc("POST /call/{task}", f.call)
	return mux
}

// enqueue responds with 202 when NATS has the task.
func (f *front) enqueue(w http.ResponseWriter, r *http.Request) {
	in, ok := readInput(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	id, err := recyclingnats.Enqueue(ctx, f.client, f.tasks.enqueued, in, recyclingnats.EnqueueOptions{Key: in.Key})
	if errors.Is(err, context.DeadlineExceeded) { // it can be sent again
		err = &offload.ShedError{Reason: err}
	}
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusAccepted, struct{ ID string }{id})
}

// look responds with the state of an enqueued task.
func (f *front) look(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	id := r.PathValue("id")
	s, err := f.client.Status(ctx, id)
	if err == nil && s.State == recyclingnats.Done {
		var b []byte
		if b, err = f.client.Result(ctx, id); err == nil {
			var out output
			if out, err = f.tasks.enqueued.Decode(b); err == nil {
				reply(w, http.StatusOK, state{State: string(s.State), Output: &out})
				return
			}
		}
	}
	switch {
	case errors.Is(err, recyclingnats.ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil: // NATS is away, or has no leader
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		reply(w, http.StatusOK, state{State: string(s.State), Error: s.Message})
	}
}

// retry enqueues a dead letter again.
func (f *front) retry(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	if err := f.client.RetryDead(ctx, r.PathValue("id")); err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusAccepted, struct{}{})
}

// call runs a task within the limit that the query names.
func (f *front) call(w http.ResponseWriter, r *http.Request) {
	limit, err := time.ParseDuration(r.URL.Query().Get("limit"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	in, ok := readInput(w, r)
	if !ok {
		return
	}
	t := f.tasks.once
	if r.PathValue("task") == f.tasks.again.Name() {
		t = f.tasks.again
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	begin := time.Now()
	out, err := t.Do(ctx, f.client, in)
	w.Header().Set(tookHeader, time.Since(begin).String())
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusOK, out)
}

func readInput(w http.ResponseWriter, r *http.Request) (in input, ok bool) {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return in, false
	}
	return in, true
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // if it fails, the client has left
}

// fail responds with the status of an error, and its text: the clients are those of the trial.
func fail(w http.ResponseWriter, err error) {
	if after := offload.RetryAfter(err); after != "" {
		w.Header().Set("Retry-After", after)
	}
	http.Error(w, err.Error(), task.Status(err, nil))
}
