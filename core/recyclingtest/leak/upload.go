package leak

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"testing"
	"time"
)

// Upload posts a file to the server at addr, whose handler must call [SaveUpload]. The test fails
// if the temporary file still exists some time after the request.
func Upload(t testing.TB, addr string) {
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
	res.Body.Close()
	name := res.Header.Get("File")
	if res.StatusCode != http.StatusOK || name == "" {
		t.Fatalf("answered with %s; the file is called %q", res.Status, name)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
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

// SaveUpload parses the form of r, so that the uploaded file goes to a temporary file, as a large
// one would. It responds with the name of the temporary file.
func SaveUpload(w http.ResponseWriter, r *http.Request) error {
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
