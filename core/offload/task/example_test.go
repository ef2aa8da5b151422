package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var tasks task.Set

var half = task.Register(&tasks, "half", func(_ context.Context, n int) (int, error) {
	if n%2 != 0 {
		return 0, &task.Error{Code: "odd", Message: fmt.Sprint(n, " is odd")}
	}
	return n / 2, nil
}, task.Options{Idempotent: true})

var countdown = task.RegisterStream(&tasks, "countdown", func(_ context.Context, from int, w io.Writer) error {
	for i := from; i > 0; i-- {
		if _, err := fmt.Fprintln(w, i); err != nil {
			return err
		}
	}
	return nil
}, task.Options{})

func Example() {
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	place := task.Local(pool) // or a place in child processes, or on other machines
	n, err := half.Do(context.Background(), place, 84)
	fmt.Println(n, err)
	_, err = half.Do(context.Background(), place, 7)
	var own *task.Error
	fmt.Println(err, errors.As(err, &own) && own.Code == "odd")
	// Output:
	// 42 <nil>
	// task half: 7 is odd true
}

// The status depends on the code that the task has chosen.
func ExampleFail() {
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	place := task.Local(pool)
	handler := func(w http.ResponseWriter, r *http.Request) {
		n, err := half.Do(r.Context(), place, 7)
		if err != nil {
			task.Fail(w, err, func(e *task.Error) int {
				if e.Code == "odd" {
					return http.StatusUnprocessableEntity
				}
				return 0 // 500
			})
			return
		}
		fmt.Fprintln(w, n)
	}
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Body)
	// Output: 422 Unprocessable Entity
}

// A response that cannot be completed is cut off.
func ExampleStream_Do() {
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	place := task.Local(pool)
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if err := countdown.Do(r.Context(), place, 3, w); err != nil {
			task.Fail(w, err, nil)
		}
	}
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Body)
	// Output:
	// 3
	// 2
	// 1
}

func ExampleObserve() {
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	rec := observe.NewTaskRecorder()
	place := task.Observe(task.Local(pool), "local", rec)
	for n := range 3 {
		half.Do(context.Background(), place, n)
	}
	for _, t := range rec.Tasks() {
		fmt.Println(t.Task, "at", t.Place, "returned", t.Results[observe.TaskReturned], "failed", t.Results[observe.TaskFailed])
	}
	// Output: half at local returned 2 failed 1
}
