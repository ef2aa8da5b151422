package recyclingtest

import (
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

var mutations = []behaviour{
	framingFollowsTheRequestThatCame,
	brokenMultipartFormEndsOneConnection,
}

// changes are changes that middleware makes to a request.
var changes = []struct {
	name    string
	change  func(r *http.Request)
	nethttp bool // net/http ignores it
	body    bool // it changes Body
}{
	{"Method GET", func(r *http.Request) { r.Method = "GET" }, false, false},
	{"Method HEAD", func(r *http.Request) { r.Method = "HEAD" }, false, false},
	{"Method POST", func(r *http.Request) { r.Method = "POST" }, false, false},
	{"Method CONNECT", func(r *http.Request) { r.Method = "CONNECT" }, false, false},
	{"Method empty", func(r *http.Request) { r.Method = "" }, false, false},
	{"Proto", func(r *http.Request) { r.Proto = "HTTP/1.0" }, true, false},
	{"version 0.9", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 0, 9 }, false, false},
	{"version 1.0", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 1, 0 }, false, false},
	{"version 1.1", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 1, 1 }, false, false},
	{"version 2.0", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, false, false},
	{"ContentLength 0", func(r *http.Request) { r.ContentLength = 0 }, false, false},
	{"ContentLength unknown", func(r *http.Request) { r.ContentLength = -1 }, true, false},
	{"ContentLength large", func(r *http.Request) { r.ContentLength = 1 << 40 }, true, false},
	{"Close", func(r *http.Request) { r.Close = !r.Close }, true, false},
	{"Header none", func(r *http.Request) { r.Header = nil }, true, false},
	{"Header", func(r *http.Request) {
		r.Header = http.Header{"Connection": {"close"}, "Expect": {"100-continue"}, "Content-Length": {"77"}, "Transfer-Encoding": {"chunked"}}
	}, true, false},
	{"URL none", func(r *http.Request) { r.URL = nil }, true, false},
	{"URL", func(r *http.Request) { r.URL = &url.URL{Path: "*"} }, true, false},
	{"RequestURI", func(r *http.Request) { r.RequestURI = "*" }, true, false},
	{"Host", func(r *http.Request) { r.Host = "" }, true, false},
	{"RemoteAddr", func(r *http.Request) { r.RemoteAddr = "" }, true, false},
	{"Body none", func(r *http.Request) { r.Body = nil }, true, true},
	{"Body empty", func(r *http.Request) { r.Body = http.NoBody }, true, true},
	{"Body wrapped", func(r *http.Request) { r.Body = struct{ io.ReadCloser }{r.Body} }, true, true},
	{"Body other", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("other")) }, true, true},
	{"TransferEncoding", func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, true, false},
	{"TransferEncoding none", func(r *http.Request) { r.TransferEncoding = nil }, true, false},
	{"Trailer", func(r *http.Request) { r.Trailer = http.Header{"X": {"y"}} }, true, false},
	{"MultipartForm", func(r *http.Request) { r.MultipartForm = &multipart.Form{} }, true, false},
	{"all", func(r *http.Request) { *r = http.Request{} }, false, true},
}

// framingFollowsTheRequestThatCame: the client does not know how middleware has changed its
// request.
func framingFollowsTheRequestThatCame(t *test) {
	raws := map[string]string{
		"GET":      get("/"),
		"HEAD":     request("HEAD", "/"),
		"POST":     post("/", "body"),
		"chunked":  chunked("/", "bo", "dy"),
		"expect":   expecting + "abc",
		"HTTP 1.0": "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody",
		"closing":  get("/", "Connection: close"),
	}
	answers := map[string]http.HandlerFunc{
		"small":   func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "response") },
		"flushed": func(w http.ResponseWriter, r *http.Request) { http.NewResponseController(w).Flush() },
		"copied": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10000")
			io.Copy(w, strings.NewReader(pattern(10_000)))
		},
	}
	for answer, h := range answers {
		t.each(answer, func(t *test) {
			type moment func(r *http.Request)
			none := func(*http.Request) {}
			before, after := make(chan moment, 1), make(chan moment, 1)
			s := t.serve(func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI == "/next" {
					io.WriteString(w, r.Method+" next")
					return
				}
				(<-before)(r)
				h(w, r)
				(<-after)(r)
			})
			exchange := func(raw string, changeBefore, changeAfter moment) string {
				before <- changeBefore
				after <- changeAfter
				c := s.dial(t)
				defer c.Close()
				c.send(raw + get("/next", "Connection: close"))
				return dateLine.ReplaceAllString(c.rest(), "")
			}
			for name, raw := range raws {
				want := exchange(raw, none, none)
				for _, v := range changes {
					if !t.target.Strict && !v.nethttp || name == "expect" && v.body {
						// With "expect", a body that no handler has asked for is left unread,
						// unless another reader wraps it.
						continue
					}
					if got := exchange(raw, v.change, none); got != want {
						t.Errorf("%s, %s changed before: received %.300q, want %.300q", name, v.name, got, want)
					}
					if got := exchange(raw, none, v.change); got != want {
						t.Errorf("%s, %s changed afterwards: received %.300q, want %.300q", name, v.name, got, want)
					}
				}
			}
		})
	}
}

// brokenMultipartFormEndsOneConnection: the server calls the form's RemoveAll.
func brokenMultipartFormEndsOneConnection(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/broken" {
			r.MultipartForm = &multipart.Form{File: map[string][]*multipart.FileHeader{"a": {nil}}}
		}
	})
	c := s.dial(t)
	c.send(get("/broken"))
	c.wants(200, "")
	c.halfClose() // a router may have given the handler a copy of the server's request
	c.ends()
	s.dial(t).goesOn()
	if n := strings.Count(s.log.String(), "http: panic serving"); n > 1 {
		t.Errorf("the panic was logged %d times", n)
	}
}
