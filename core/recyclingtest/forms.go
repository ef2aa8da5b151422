package recyclingtest

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
)

var forms = []behaviour{
	urlEncodedFormIsParsed,
	multipartFormIsParsed,
	multipartTempFilesAreRemoved,
	multipartMayBeStreamed,
}

func urlEncodedFormIsParsed(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		fmt.Fprint(w, r.Form.Encode(), " ", r.PostForm.Encode(), " ", err)
	})
	resp, err := s.client(t).PostForm(origin+"/?a=1&b=2", url.Values{"a": {"3"}, "ü": {"ß&="}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := "a=3&a=1&b=2&%C3%BC=%C3%9F%26%3D a=3&%C3%BC=%C3%9F%26%3D <nil>"; string(body) != want || err != nil {
		t.Errorf("form is %s, %v; want %s", body, err, want)
	}
}

// multipartOf returns a multipart body with one field and one file, and its Content-Type.
func multipartOf(field, file string) (body *bytes.Buffer, contentType string) {
	body = new(bytes.Buffer)
	m := multipart.NewWriter(body)
	m.WriteField("field", field)
	w, err := m.CreateFormFile("file", "name.txt")
	if err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	io.WriteString(w, file)
	m.Close()
	return body, m.FormDataContentType()
}

func multipartFormIsParsed(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		f, h, err := r.FormFile("file")
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		content, err := io.ReadAll(f)
		fmt.Fprintf(w, "%s %s %d %s %v", r.FormValue("field"), h.Filename, h.Size, content, err)
	})
	body, contentType := multipartOf("value", "content")
	resp, err := s.client(t).Post(origin, contentType, body)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body)
	if want := "value name.txt 7 content <nil>"; string(got) != want {
		t.Errorf("form is %s, want %s", got, want)
	}
}

func multipartTempFilesAreRemoved(t *test) {
	name := make(chan string, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		f, err := r.MultipartForm.File["file"][0].Open()
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer f.Close()
		if f, ok := f.(interface{ Name() string }); ok {
			name <- f.Name()
		}
	})
	body, contentType := multipartOf(strings.Repeat("x", 1000), strings.Repeat("y", 1<<20))
	c := s.dial(t)
	c.sendBeside(post("/", body.String(), "Content-Type: "+contentType))
	c.wants(200, "")
	file := receive(t, name, "temporary file")
	t.eventually("the temporary file "+file+" is gone", func() bool {
		_, err := os.Stat(file)
		return os.IsNotExist(err)
	})
}

func multipartMayBeStreamed(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		parts, err := r.MultipartReader()
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		for {
			part, err := parts.NextPart()
			if err != nil {
				fmt.Fprint(w, err)
				return
			}
			n, err := io.Copy(io.Discard, part)
			fmt.Fprint(w, part.FormName(), " ", n, " ", err, "; ")
		}
	})
	body, contentType := multipartOf("value", strings.Repeat("y", 1<<20))
	c := s.dial(t)
	c.sendBeside(chunkedBy(1000, body.String(), "Content-Type: "+contentType))
	c.wants(200, "field 5 <nil>; file 1048576 <nil>; EOF")
	c.goesOn()
}

// chunkedBy returns a POST request whose body is in chunks of n bytes.
func chunkedBy(n int, body string, header ...string) string {
	var b strings.Builder
	b.WriteString(request("POST", "/", append(header, "Transfer-Encoding: chunked")...))
	for len(body) > 0 {
		chunk := body[:min(n, len(body))]
		body = body[len(chunk):]
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	return b.String() + "0\r\n\r\n"
}
