package status

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/manage"
)

// The workers of tasks are managed on the address of the page, but not from a web site.
func TestTasksAreManagedBesideThePage(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	task.Register(&tasks, "shrink", func(context.Context, int) (int, error) { return 0, nil }, task.Options{})
	pools, err := task.NewPools(t.Context(), &tasks, task.PoolConfig{Name: "pictures", Config: offload.Config{Workers: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		pools.Close()
		<-pools.Done()
	}()
	p := &Page{Log: quiet()}
	p.Handle("/tasks", "Tasks", manage.Handler(pools))
	page := serveOn(t, p)
	c := client(t)
	if status, body := fetch(t, c, page+"tasks"); status != 200 || !strings.Contains(body, `"pictures"`) {
		t.Errorf("%d, %q", status, body)
	}
	form := url.Values{"action": {"add"}, "group": {"pictures"}, "n": {"2"}}.Encode()
	for i, header := range [][2]string{{"Origin", "https://example.org"}, {"Sec-Fetch-Site", "cross-site"}, {"Host", "example.org"}, {"", ""}} {
		r, err := http.NewRequest("POST", page+"tasks", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if header[0] == "Host" {
			r.Host = header[1]
		} else if header[0] != "" {
			r.Header.Set(header[0], header[1])
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		status, workers := 403, 1
		if i == 3 {
			status, workers = 200, 3
		}
		if got := pools.Stats()["pictures"].Workers; res.StatusCode != status || got != workers {
			t.Errorf("%s: status %d, %d workers, want %d and %d", fmt.Sprint(header), res.StatusCode, got, status, workers)
		}
	}
}
