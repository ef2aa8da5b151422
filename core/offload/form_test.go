package offload_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func TestMiddlewareLeavesNoUploads(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("Timeout=%v,panics=%t", timeout, panics), func(t *testing.T) {
				limited := newPool(t, offload.Config{Timeout: timeout}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := save(w, r); err != nil {
						t.Error(err)
					}
					if panics {
						panic("after saving")
					}
				}))
				recovering := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { recover() }()
					limited.ServeHTTP(w, r)
				})
				inEveryServer(t, recovering, func(t *testing.T, addr string) { removed(t, upload(t, addr)) })
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
