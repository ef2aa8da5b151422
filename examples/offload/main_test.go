package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestMain makes the test binary a child process when it is started as one, like the program.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTasksRunInChildren(t *testing.T) {
	children, err := startChildren(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		children.Close()
		<-children.Done()
	}()
	s := httptest.NewServer(routes(children))
	defer s.Close()
	get := func(path string) (int, string) {
		res, err := http.Get(s.URL + path)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return res.StatusCode, string(body)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if code, body := get("/primes/1000000"); code != http.StatusOK || body != "78498" {
				t.Errorf("answered with %d %q", code, body)
			}
		})
	}
	if code, body := get("/yo"); code != http.StatusOK || body != "Hey!" {
		t.Errorf("answered with %d %q", code, body)
	}
	all.Wait()
	if code, body := get("/primes/x"); code != http.StatusInternalServerError || !strings.Contains(body, `"x"`) {
		t.Errorf("answered with %d %q", code, body)
	}
}
