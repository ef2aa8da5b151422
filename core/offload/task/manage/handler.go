package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// maxForm is the size of the largest body of a POST, in bytes.
const maxForm = 4 << 10

// A Reply is the JSON of a response. Fields that do not apply are left out.
type Reply struct {
	Groups  []task.Group `json:"groups,omitempty"`  // after GET
	Group   string       `json:"group,omitempty"`   // after POST, the group that was to change
	Workers int          `json:"workers,omitempty"` // after add and remove, the new number of workers
	Error   string       `json:"error,omitempty"`   // a text for people; empty after success
}

// Handler returns a handler for m. Every response is a [Reply] as JSON.
//
//   - GET and HEAD respond with the groups. If some groups are not known, there is an error, too,
//     and the status is 502.
//   - POST changes a group. It has a form (application/x-www-form-urlencoded) with the fields
//     action (add, remove or restart), group, and n, how many workers to add or remove (1 if it is
//     absent), each at most once. The response to restart follows when all workers have been
//     replaced; if the client leaves before that, those that have not been replaced stay.
//
// The status is 400 if the form is wrong, 403 if the request comes from a web site elsewhere, 404
// if there is no such group, 405 for other methods, 409 if the group would have too few or too many
// workers, 501 if the place cannot make this change, 503 if the place is closed, 504 if a deadline
// has passed, and 500 for other errors.
func Handler(m task.Manager) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusForbidden, Reply{Error: "the request comes from a web site elsewhere"})
	}))
	return localHost(origin.Handler(&handler{m}))
}

type handler struct{ m task.Manager }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		groups, err := h.m.Groups(r.Context())
		reply := Reply{Groups: groups}
		status := http.StatusOK
		if err != nil {
			reply.Error = err.Error()
			if status = statusOf(err); status == http.StatusInternalServerError || len(groups) > 0 {
				status = http.StatusBadGateway
			}
		}
		respond(w, status, reply)
	case http.MethodPost:
		h.post(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		respond(w, http.StatusMethodNotAllowed, Reply{Error: "there are only GET, HEAD and POST"})
	}
}

// A change is what a POST asks for.
type change struct {
	action, group string
	n             int
}

// parse reads the form of r. What is in the URL does not count, so that a link changes nothing.
func parse(w http.ResponseWriter, r *http.Request) (c change, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return c, fmt.Errorf("the form cannot be read: %w", err)
	}
	f := r.PostForm
	for _, name := range []string{"action", "group", "n"} {
		if n := len(f[name]); n > 1 { // which one is meant?
			return c, fmt.Errorf("%s appears %d times, want once", name, n)
		}
	}
	c = change{f.Get("action"), f.Get("group"), 1}
	switch c.action {
	case "add", "remove":
		if s := f.Get("n"); f.Has("n") {
			if c.n, err = strconv.Atoi(s); err != nil || c.n < 1 {
				return c, fmt.Errorf("n is %q, want 1 or more", s)
			}
		}
	case "restart":
		if f.Has("n") {
			return c, errors.New("restart has no n: it restarts all workers of a group")
		}
	default:
		return c, fmt.Errorf("action is %q, want add, remove or restart", c.action)
	}
	if c.group == "" {
		return c, errors.New("group is empty, want the name of one")
	}
	return c, nil
}

func (h *handler) post(w http.ResponseWriter, r *http.Request) {
	c, err := parse(w, r)
	if err != nil {
		respond(w, http.StatusBadRequest, Reply{Error: err.Error()})
		return
	}
	// A restart may take longer than the server lets a response take.
	controller := http.NewResponseController(w)
	controller.SetReadDeadline(time.Time{})
	controller.SetWriteDeadline(time.Time{})
	reply := Reply{Group: c.group}
	switch c.action {
	case "add":
		reply.Workers, err = h.m.Resize(r.Context(), c.group, c.n)
	case "remove":
		reply.Workers, err = h.m.Resize(r.Context(), c.group, -c.n)
	case "restart":
		err = h.m.Restart(r.Context(), c.group)
	}
	if err != nil {
		respond(w, statusOf(err), Reply{Group: c.group, Error: err.Error()})
		return
	}
	respond(w, http.StatusOK, reply)
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, task.ErrGroup):
		return http.StatusNotFound
	case errors.Is(err, task.ErrWorkers):
		return http.StatusConflict
	case errors.Is(err, errors.ErrUnsupported):
		return http.StatusNotImplemented
	case errors.Is(err, offload.ErrClosed):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

func respond(w http.ResponseWriter, status int, reply Reply) {
	body, err := json.MarshalIndent(reply, "", "  ")
	if err != nil { // a time that JSON cannot express
		status = http.StatusInternalServerError
		body, _ = json.Marshal(Reply{Error: err.Error()})
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// localHost refuses requests to a loopback address that name another host.
func localHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if ok && addr.IP.IsLoopback() && !isLocalHost(r.Host) {
			respond(w, http.StatusForbidden, Reply{Error: "use this address as localhost, or by an IP address"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocalHost reports whether host, with or without a port, is one that no web site can have. A
// browser always sends one.
func isLocalHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
