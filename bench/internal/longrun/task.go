package longrun

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// A setup is all that tasks need to know, whichever process runs them.
type setup struct {
	Site    site
	Latency time.Duration // of the external server, if Site is empty
	Sleep   time.Duration
	Parses  int
	File    string // the file that copy copies
	Dir     string // the folder for the copies
}

// A worker runs tasks. Several goroutines may call its methods at once.
type worker struct {
	setup
	client *http.Client
}

// The tasks, in the order of the table.
var tasks = []task{
	{"sleep", (*worker).sleep},
	{"split", (*worker).split},
	{"fetch", (*worker).fetch},
	{"https", (*worker).https},
	{"xml", (*worker).xml},
	{"copy", (*worker).copy},
}

// A task returns an error unless it has done all of its work.
type task struct {
	name string
	do   func(*worker, context.Context) error
}

func taskNamed(name string) (task, error) {
	for _, t := range tasks {
		if t.name == name {
			return t, nil
		}
	}
	return task{}, fmt.Errorf("longrun: there is no task %q", name)
}

func newWorker(s setup) (*worker, error) {
	cert, err := x509.ParseCertificate(s.Site.Cert)
	if err != nil {
		return nil, fmt.Errorf("longrun: the certificate of the external server: %w", err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(cert)
	return &worker{setup: s, client: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: trusted},
	}}}, nil
}

// waitingKey is the key of a context in which a task may use offload.Waiting.
type waitingKey struct{}

// allowWaiting returns a context in which waiting has an effect.
func allowWaiting(ctx context.Context) context.Context {
	return context.WithValue(ctx, waitingKey{}, true)
}

// waiting calls f, which waits and does not compute. The handler of the server waiting does not
// count against MaxWorkers meanwhile: see offload.Waiting.
func waiting(ctx context.Context, f func()) {
	if ctx.Value(waitingKey{}) == nil {
		f()
		return
	}
	offload.Waiting(ctx, f)
}

func (w *worker) sleep(ctx context.Context) error { return sleep(ctx, w.Sleep) }

func (w *worker) split(ctx context.Context) error {
	for _, part := range []time.Duration{1, 3, 10} {
		if err := sleep(ctx, w.Sleep*part/14); err != nil {
			return err
		}
	}
	return nil
}

// sleep sleeps for d. If ctx ends first, it returns ctx's error.
func sleep(ctx context.Context, d time.Duration) (err error) {
	waiting(ctx, func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	return err
}

func (w *worker) fetch(ctx context.Context) error { return w.page(ctx, w.Site.HTTP+"/page") }

func (w *worker) https(ctx context.Context) error { return w.page(ctx, w.Site.HTTPS+"/page") }

func (w *worker) page(ctx context.Context, url string) error {
	body, err := w.get(ctx, url)
	if err == nil && string(body) != page {
		err = fmt.Errorf("longrun: %s is %q, want %q", url, body, page)
	}
	return err
}

func (w *worker) get(ctx context.Context, url string) (body []byte, err error) {
	waiting(ctx, func() { body, err = w.fetchNow(ctx, url) })
	return body, err
}

func (w *worker) fetchNow(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	a, err := w.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("longrun: %s: %s", url, a.Status)
	}
	return io.ReadAll(a.Body)
}

func (w *worker) xml(ctx context.Context) error {
	body, err := w.get(ctx, w.Site.HTTPS+"/news.xml")
	if err != nil {
		return err
	}
	for range w.Parses {
		if err := ctx.Err(); err != nil {
			return err
		}
		var news feed
		if err := xml.Unmarshal(body, &news); err != nil {
			return err
		}
		if len(news.Items) != newsItems {
			return fmt.Errorf("longrun: the document has %d items, want %d", len(news.Items), newsItems)
		}
	}
	return nil
}

func (w *worker) copy(ctx context.Context) (err error) {
	from, err := os.Open(w.File)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.CreateTemp(w.Dir, "copy-")
	if err != nil {
		return err
	}
	defer func() {
		for _, e := range []error{to.Close(), os.Remove(to.Name())} {
			if err == nil {
				err = e
			}
		}
	}()
	// The kernel would copy between two plain files, and on some file systems it would not copy any
	// data.
	n, err := io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
	if err != nil {
		return err
	}
	info, err := from.Stat()
	if err == nil && n != info.Size() {
		err = fmt.Errorf("longrun: %d bytes of %d were copied", n, info.Size())
	}
	return err
}

// makeFile writes a file of the given size.
func makeFile(name string, size int64) error {
	line := []byte("A line of the file that is copied again and again by the task of that name.\n")
	return os.WriteFile(name, bytes.Repeat(line, int(size)/len(line)+1)[:size], 0o666)
}
