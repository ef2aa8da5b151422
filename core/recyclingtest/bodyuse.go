package recyclingtest

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

var bodyUses = []behaviour{
	connectionIsReusedAfterAnyUseOfTheBody,
	connectionIsReusedAfterAnyUseOfMaxBytesReader,
}

// A bodyReader wraps a body in a reader with a limit.
type bodyReader struct {
	name string
	wrap func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader
}

var bodyReaders = []bodyReader{
	{"body", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader { return r.Body }},
	{"LimitReader", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		return io.LimitReader(r.Body, limit)
	}},
	{"bufio", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		return bufio.NewReaderSize(r.Body, int(limit))
	}},
	{"wrapper", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r.Body = struct{ io.ReadCloser }{r.Body}
		return r.Body
	}},
	{"gzip", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		z, err := gzip.NewReader(io.LimitReader(r.Body, limit))
		if err != nil {
			fmt.Fprint(w, err)
			return r.Body
		}
		return z
	}},
}

// maxBytesReaders are bodyReaders too. Those that are assigned to Request.Body can be found there
// afterwards.
var maxBytesReaders = []bodyReader{
	{"MaxBytesReader", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		return r.Body
	}},
	{"MaxBytesReader twice", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		r.Body = http.MaxBytesReader(w, r.Body, 599)
		return r.Body
	}},
	{"MaxBytesReader with a wrapped ResponseWriter", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r.Body = http.MaxBytesReader(struct{ http.ResponseWriter }{w}, r.Body, limit)
		return r.Body
	}},
	{"MaxBytesReader, LimitReader", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		return io.LimitReader(r.Body, 300)
	}},
	{"MaxBytesReader, bufio", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		return bufio.NewReader(r.Body)
	}},
	{"MaxBytesReader of a LimitReader", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r.Body = http.MaxBytesReader(w, io.NopCloser(io.LimitReader(r.Body, 512)), limit)
		return r.Body
	}},
	{"MaxBytesReader that is not assigned", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		return http.MaxBytesReader(w, r.Body, limit)
	}},
	{"MaxBytesReader of a copy", func(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
		r2 := *r
		r2.Body = http.MaxBytesReader(w, r.Body, limit)
		return r2.Body
	}},
}

// uses are what handlers do with such a reader.
var uses = []struct {
	name string
	use  func(r *http.Request, body io.Reader) string
}{
	{"nothing", func(r *http.Request, body io.Reader) string { return "" }},
	{"ReadAll", func(r *http.Request, body io.Reader) string {
		b, err := io.ReadAll(body)
		return fmt.Sprint(len(b), err)
	}},
	{"Copy", func(r *http.Request, body io.Reader) string {
		n, err := io.Copy(io.Discard, body)
		return fmt.Sprint(n, err)
	}},
	{"CopyN", func(r *http.Request, body io.Reader) string {
		n, err := io.CopyN(io.Discard, body, 300)
		return fmt.Sprint(n, err)
	}},
	{"ReadFull", func(r *http.Request, body io.Reader) string {
		n, err := io.ReadFull(body, make([]byte, 1000)[:512])
		return fmt.Sprint(n, err)
	}},
	{"small reads", func(r *http.Request, body io.Reader) string {
		n := 0
		for p := make([]byte, 64); ; {
			k, err := body.Read(p[:7])
			if n += k; err != nil {
				return fmt.Sprint(n, err)
			}
		}
	}},
	{"few small reads", func(r *http.Request, body io.Reader) string {
		n := 0
		p := make([]byte, 64)
		for range 5 {
			k, err := body.Read(p[:20])
			if n += k; err != nil {
				return fmt.Sprint(n, err)
			}
		}
		return fmt.Sprint(n)
	}},
	{"Close", func(r *http.Request, body io.Reader) string {
		return fmt.Sprint(r.Body.Close(), r.Body.Close())
	}},
	{"read and Close", func(r *http.Request, body io.Reader) string {
		n, err := io.ReadFull(body, make([]byte, 100))
		return fmt.Sprint(n, err, r.Body.Close(), r.Body.Close())
	}},
	{"read after the end", func(r *http.Request, body io.Reader) string {
		n, err := io.Copy(io.Discard, body)
		k, err2 := body.Read(make([]byte, 10))
		return fmt.Sprint(n, err, k, err2)
	}},
	{"read after Close", func(r *http.Request, body io.Reader) string {
		err := r.Body.Close()
		n, err2 := r.Body.Read(make([]byte, 10))
		return fmt.Sprint(err, n, err2)
	}},
	{"another goroutine", func(r *http.Request, body io.Reader) string {
		n, end := int64(0), make(chan error)
		go func() {
			var err error
			n, err = io.Copy(io.Discard, body)
			end <- err
		}()
		return fmt.Sprint(<-end, n)
	}},
}

// connectionIsReusedAfterAnyUseOfTheBody compares the results in handlers, and whether the
// connection is reused, with net/http.
func connectionIsReusedAfterAnyUseOfTheBody(t *test) {
	t.useBodies(bodyReaders, []int64{100}, []int64{100})
}

// connectionIsReusedAfterAnyUseOfMaxBytesReader does the same for every relation of limit and
// length.
func connectionIsReusedAfterAnyUseOfMaxBytesReader(t *test) {
	t.useBodies(maxBytesReaders, []int64{0, 1, 100, 300, 511, 512, 599, 600, 601, 1000}, []int64{0, 511, 600, 601})
}

// useBodies tries each reader with each use, the first reader with the limits first and the others
// with the limits others.
func (t *test) useBodies(readers []bodyReader, first, others []int64) {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("use") == "" {
			fmt.Fprint(w, "next")
			return
		}
		reader, _ := strconv.Atoi(q.Get("reader"))
		limit, _ := strconv.ParseInt(q.Get("limit"), 10, 64)
		use, _ := strconv.Atoi(q.Get("use"))
		fmt.Fprint(w, uses[use].use(r, readers[reader].wrap(w, r, limit)))
	})
	target, control := t.start(&http.Server{Handler: h}), t.expected(h)
	for i, reader := range readers {
		unseen := t.target.Strict && (strings.HasSuffix(reader.name, "not assigned") || strings.HasSuffix(reader.name, "copy"))
		t.each(reader.name, func(t *test) {
			for j, use := range uses {
				limits := others
				if i == 0 {
					limits = first
				}
				for _, limit := range limits {
					if unseen && (limit == 511 || use.name == "CopyN" || use.name == "ReadFull" || use.name == "few small reads") {
						continue // only net/http itself can know
					}
					path := fmt.Sprintf("/?reader=%d&use=%d&limit=%d", i, j, limit)
					for _, raw := range []string{post(path, pattern(600)), chunked(path, pattern(100), pattern(200)[100:], pattern(600)[200:])} {
						got, want := target.transcript(t, raw+get("/", "Connection: close")), control(t, raw+get("/", "Connection: close"))
						if got != want {
							t.Errorf("%s, limit %d, %q: received\n%q, want\n%q", use.name, limit, raw[len(path):][:80], got, want)
						}
					}
				}
			}
		})
	}
}
