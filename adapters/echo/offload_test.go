package recyclingecho_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

func TestOffloadLeavesRefusingToTheErrorHandler(t *testing.T) {
	p, err := offload.New(offload.Config{Workers: 1, Queue: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	e := echo.New()
	var seen error
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		seen = err
		e.DefaultHTTPErrorHandler(err, c)
	}
	e.GET("/", func(c echo.Context) error {
		// The only worker is here, so that another request finds none.
		again := httptest.NewRecorder()
		e.ServeHTTP(again, httptest.NewRequest("GET", "/inner", nil))
		if again.Code != http.StatusServiceUnavailable || again.Header().Get("Retry-After") == "" || !errors.Is(seen, offload.ErrFull) {
			t.Errorf("answered with %d, Retry-After %q, after %v", again.Code, again.Header().Get("Retry-After"), seen)
		}
		return c.String(http.StatusOK, "done")
	}, recyclingecho.Offload(p))
	e.GET("/inner", func(c echo.Context) error { return c.String(http.StatusOK, "inner") }, recyclingecho.Offload(p))
	for range 2 {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusOK || w.Body.String() != "done" {
			t.Errorf("answered with %d %q", w.Code, w.Body)
		}
	}
}

func TestOffloadLeavesTheRequestAlone(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		p, err := offload.New(offload.Config{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		e := echo.New()
		r := httptest.NewRequest("GET", "/", nil)
		e.GET("/", func(c echo.Context) error {
			got := c.Request()
			if _, ok := got.Context().Deadline(); (got == r) == ok || ok != (timeout > 0) {
				t.Errorf("with Timeout %v: same request is %t, a deadline %t", timeout, got == r, ok)
			}
			return nil
		}, recyclingecho.Offload(p))
		for _, ctx := range []context.Context{context.Background(), t.Context()} {
			r = r.WithContext(ctx)
			e.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
}

func TestOffloadLeavesNoUploads(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("Timeout=%v,panics=%t", timeout, panics), func(t *testing.T) {
				p, err := offload.New(offload.Config{Timeout: timeout})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
					e := echo.New()
					e.HideBanner, e.HidePort = true, true
					e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
						return func(c echo.Context) error {
							defer func() { recover() }()
							return next(c)
						}
					})
					e.POST("/", func(c echo.Context) error {
						if err := save(c.Response(), c.Request()); err != nil {
							t.Error(err)
						}
						if panics {
							panic("after saving")
						}
						return nil
					}, recyclingecho.Offload(p))
					s := recyclingecho.New(e, func(s *recycling.Server) { s.Strategy = strategy })
					addr, stop := serve(t, s.Serve, s.Close)
					defer stop()
					removed(t, upload(t, addr))
				})
			})
		}
	}
}

// upload posts a file to addr, and returns where the handler said that it lies.
func upload(t *testing.T, addr string) (name string) {
	t.Helper()
	body := new(bytes.Buffer)
	m := multipart.NewWriter(body)
	w, err := m.CreateFormFile("file", "file")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "content")
	m.Close()
	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Post("http://"+addr, m.FormDataContentType(), body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("answered with %s", res.Status)
	}
	return res.Header.Get("File")
}

// save has r's file lie on the disk, and says where.
func save(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(1); err != nil {
		return err
	}
	f, err := r.MultipartForm.File["file"][0].Open()
	if err != nil {
		return err
	}
	defer f.Close()
	if f, ok := f.(*os.File); ok {
		w.Header().Set("File", f.Name())
	}
	return nil
}

// removed fails the test if there soon is that file still.
func removed(t *testing.T, name string) {
	t.Helper()
	if name == "" {
		t.Fatal("the file was not on the disk")
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s is left", name)
			os.Remove(name)
			return
		}
	}
}
