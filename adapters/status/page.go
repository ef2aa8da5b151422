package status

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// A Page shows servers. It is an [http.Handler]; the zero value shows no server yet. All methods
// may be called concurrently.
type Page struct {
	// Log gets a line when the page is served on an address of its own, and errors. Nil means
	// slog.Default(). It must not be changed once the Page is in use.
	Log *slog.Logger

	mu      sync.Mutex // guards the following
	servers []*watched
	tasks   []*watchedTasks
	mounts  []mount
	latest  *report     // at most maxAge old when it is used
	forget  *time.Timer // drops the samples of servers when nobody looks any more; nil at first
	own     endpoints
}

// A mount is a handler that Handle has added.
type mount struct {
	Path, Title string

	handler http.Handler
}

// maxAge is how long a report is reused, so that many viewers cost little more than one.
const maxAge = 200 * time.Millisecond

// On returns an Option that serves a page about the server on addr, such as ":6060": see
// [Page.ListenAndServe] for what addr means. Each of settings is called with the Page before it is
// served, for example to add handlers.
//
// The page is served from the moment that the Option is applied until the process ends, or until
// [Page.Close]. If addr is invalid or cannot be used, the error is logged, and the server serves
// without a page. If another process uses addr, such as an earlier one that still drains, On tries
// again every second.
//
// On gives the server an [observe.Recorder], unless its Observer is or contains one. It keeps the
// Observer of the server; options that set another Observer must come before it.
func On(addr string, settings ...func(*Page)) recycling.Option {
	return func(s *recycling.Server) {
		p := new(Page)
		for _, set := range settings {
			set(p)
		}
		p.Server("")(s)
		p.start(addr)
	}
}

// Server returns an Option that shows a server on p under a name, such as "api". If name is empty
// and there are several, it is shown by its number. See [On] for what happens to the server's
// Observer. A server is shown once, however often it is added.
func (p *Page) Server(name string) recycling.Option {
	return func(s *recycling.Server) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if slices.ContainsFunc(p.servers, func(w *watched) bool { return w.server == s }) {
			return
		}
		rec := observe.RecorderIn(s.Observer)
		if rec == nil {
			rec = observe.NewRecorder()
			s.Observer = observe.Observers(rec, s.Observer)
		}
		p.servers = append(p.servers, &watched{name: name, server: s, rec: rec})
		p.latest = nil
	}
}

// Tasks shows on p the tasks that rec records, and the places where they run: see Observe of
// package core/offload/task. A recorder is shown once, however often it is added.
func (p *Page) Tasks(rec *observe.TaskRecorder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.tasks, func(w *watchedTasks) bool { return w.rec == rec }) {
		return
	}
	p.tasks = append(p.tasks, &watchedTasks{rec: rec})
	p.latest = nil
}

// Handle adds a handler that p serves on addresses of its own, and a link to it. Path must begin
// with a slash; if it ends in one, h also gets requests for the paths below. h gets the whole path.
// It panics if path is "/", does not begin with a slash, has a brace or a space, or was added
// before, or if title is empty or h is nil. Handlers that are added after p is served on an address
// are not served there.
//
// If the application has added p to its own router, the page there has no link, and h is not
// called.
func (p *Page) Handle(path, title string, h http.Handler) {
	switch {
	case len(path) < 2 || path[0] != '/' || strings.ContainsAny(path, "{} \t\r\n"):
		panic(fmt.Sprintf("status: Handle: path %q is not a path with a name", path))
	case title == "":
		panic(fmt.Sprintf("status: Handle: no title for %q", path))
	case h == nil:
		panic(fmt.Sprintf("status: Handle: no handler for %q", path))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.mounts, func(m mount) bool { return m.Path == path }) {
		panic(fmt.Sprintf("status: Handle: %q has a handler already", path))
	}
	p.mounts = append(p.mounts, mount{path, title, h})
}

// ServeHTTP responds with the page, or in another format: see the package comment. Only GET and
// HEAD are allowed.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.respond(w, r, nil) }

// respond serves the page with links to mounts.
func (p *Page) respond(w http.ResponseWriter, r *http.Request, mounts []mount) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the status page has only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	format := formatFor(r)
	var body []byte
	var err error
	switch format {
	case "html":
		h.Set("Content-Type", "text/html; charset=utf-8")
		body, err = p.report().html(mounts)
	case "json":
		h.Set("Content-Type", "application/json")
		body, err = json.MarshalIndent(p.report(), "", "  ")
		body = append(body, '\n')
	case "text":
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = p.report().text()
	default:
		http.Error(w, fmt.Sprintf("format %q is unknown: use html, json or text", format), http.StatusBadRequest)
		return
	}
	if err != nil {
		p.log().Error("recycling: the status page cannot be written", "err", err)
		http.Error(w, "the status page cannot be written: see the log", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body)
}

// formatFor returns the format that r asks for.
func formatFor(r *http.Request) string {
	if r.URL.RawQuery != "" {
		if q := r.URL.Query(); q.Has("format") {
			return q.Get("format")
		}
	}
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	agent, _, _ := strings.Cut(strings.ToLower(r.UserAgent()), "/")
	switch {
	case strings.Contains(accept, "text/html"):
		return "html"
	case strings.Contains(accept, "application/json"):
		return "json"
	case strings.Contains(accept, "text/plain"), slices.Contains([]string{"curl", "wget", "httpie"}, agent):
		return "text"
	}
	return "html"
}

// report returns what p shows now. It does not change.
func (p *Page) report() *report {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := observe.Now()
	if p.latest == nil || now-p.latest.at > maxAge {
		p.latest = newReport(now, p.servers)
		p.latest.addTasks(p.tasks)
	}
	if p.forget == nil {
		p.forget = time.AfterFunc(2*window, p.forgetSamples)
	} else {
		p.forget.Reset(2 * window)
	}
	return p.latest
}

// forgetSamples drops the samples, which are only needed while the page is requested.
func (p *Page) forgetSamples() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = nil
	for _, w := range p.servers {
		w.samples = nil
	}
	for _, w := range p.tasks {
		w.samples = nil
	}
}

func (p *Page) log() *slog.Logger { return cmp.Or(p.Log, slog.Default()) }
