package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload/task"
)

// ask makes a request and returns the response with its body.
func ask(h http.Handler, method, path string, header ...string) (*httptest.ResponseRecorder, string) {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, strings.TrimSpace(w.Body.String())
}

func TestHandlers(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	let := make(chan bool)
	double := task.Register(&tasks, "double", func(ctx context.Context, n int) (int, error) {
		select {
		case <-let:
		case <-ctx.Done():
		}
		if n < 0 {
			return 0, errors.New("negative")
		}
		return 2 * n, nil
	}, task.Options{})
	task.Register(&tasks, "other", func(context.Context, int) (int, error) { return 0, nil }, task.Options{})
	client := connect(t, recyclingnats.Config{Attempts: 1})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{Workers: 1})
	status, dead, backlog := client.StatusHandler(), client.DeadHandler(), client.BacklogHandler(&tasks)

	id := enqueue(t, client, double, 21, "")
	w := httptest.NewRecorder()
	recyclingnats.Accepted(w, id, "/tasks/"+id)
	if w.Code != http.StatusAccepted || w.Header().Get("Location") != "/tasks/"+id || !strings.Contains(w.Body.String(), id) {
		t.Errorf("got %d, %v, %s", w.Code, w.Header(), w.Body)
	}
	await(t, client, id, recyclingnats.Running)
	if w, body := ask(status, "GET", "/"+id); w.Code != 200 || !strings.Contains(body, `"running"`) {
		t.Errorf("status is %d, %s", w.Code, body)
	}
	if w, _ := ask(status, "GET", "/"+id+"/result"); w.Code != 404 {
		t.Errorf("result of a task that runs is %d, want 404", w.Code)
	}
	if w, _ := ask(status, "GET", "/absent"); w.Code != 404 {
		t.Errorf("status of nothing is %d, want 404", w.Code)
	}
	var d struct {
		Enqueued int
		Tasks    map[string]struct {
			Enqueued int
			Oldest   float64 `json:"oldestSeconds"`
		}
	}
	_, body := ask(backlog, "GET", "/")
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatal(err)
	}
	if _, other := d.Tasks["other"]; d.Enqueued != 1 || d.Tasks["double"].Enqueued != 1 || d.Tasks["double"].Oldest <= 0 || !other {
		t.Errorf("backlog is %s", body)
	}
	let <- true
	await(t, client, id, recyclingnats.Done)
	if w, body := ask(status, "GET", "/"+id+"/result"); w.Code != 200 || body != "42" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("result is %d, %v, %s", w.Code, w.Header(), body)
	}

	id = enqueue(t, client, double, -1, "")
	let <- true
	await(t, client, id, recyclingnats.Dead)
	if w, body := ask(status, "GET", "/"+id+"/result"); w.Code != 500 || !strings.Contains(body, "negative") {
		t.Errorf("result of a dead letter is %d, %s", w.Code, body)
	}
	var list []recyclingnats.DeadLetter
	_, body = ask(dead, "GET", "/?limit=1")
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("dead letters are %s, %v", body, err)
	}
	if w, _ := ask(dead, "GET", "/?limit=x"); w.Code != 400 {
		t.Errorf("a wrong limit is %d, want 400", w.Code)
	}
	if w, _ := ask(dead, "POST", "/"+id+"/retry", "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("a cross-site request is %d, want 403", w.Code)
	}
	if w, _ := ask(dead, "POST", "/"+id+"/retry"); w.Code != 204 {
		t.Errorf("retrying is %d, want 204", w.Code)
	}
	let <- true
	await(t, client, id, recyclingnats.Dead)
	if w, _ := ask(dead, "DELETE", "/"+id); w.Code != 204 {
		t.Errorf("deleting is %d, want 204", w.Code)
	}
	if w, _ := ask(dead, "DELETE", "/"+id); w.Code != 404 {
		t.Errorf("deleting again is %d, want 404", w.Code)
	}
}

func TestWorkersOfAGroupCanBeChanged(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	begun, let := make(chan bool, 10), make(chan bool)
	held := task.Register(&tasks, "held", func(context.Context, int) (int, error) {
		begun <- true
		<-let
		return 0, nil
	}, task.Options{})
	client := connect(t, recyclingnats.Config{Wait: time.Minute})
	worker := serve(t, client, &tasks, recyclingnats.WorkerConfig{Workers: 1})
	done := make(chan error, 3)
	for range cap(done) {
		go func() {
			_, err := held.Do(t.Context(), client, 1)
			done <- err
		}()
	}
	<-begun
	if n, err := worker.Resize(t.Context(), "default", 2); n != 3 || err != nil {
		t.Fatalf("got %d workers, %v; want 3", n, err)
	}
	<-begun
	<-begun
	g, err := worker.Groups(t.Context())
	if err != nil || len(g) != 1 || g[0].Workers != 3 || g[0].Running != 3 || g[0].Name != "default" {
		t.Errorf("groups are %+v, %v", g, err)
	}
	for range cap(done) {
		let <- true
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := worker.Resize(t.Context(), "default", -3); !errors.Is(err, task.ErrWorkers) {
		t.Errorf("removing all workers: %v, want ErrWorkers", err)
	}
	if _, err := worker.Resize(t.Context(), "absent", 1); !errors.Is(err, task.ErrGroup) {
		t.Errorf("resizing no group: %v, want ErrGroup", err)
	}
	if err := worker.Restart(t.Context(), "default"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("restarting: %v, want ErrUnsupported", err)
	}
}
