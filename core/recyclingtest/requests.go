package recyclingtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

var requests = []behaviour{
	requestTargetIsParsed,
	requestProtocolIsReported,
	requestHeaderIsParsed,
	hostIsNotAmongTheHeaders,
	requestBodyIsDescribed,
	anyMethodTokenIsAccepted,
	remoteAddrIsTheClients,
	optionsStarIsAnsweredByTheServer,
	optionsStarReachesHandlerIfAsked,
	connectReachesHandler,
	connectNeedsNoHost,
	serveMuxMatchesPatterns,
	pragmaNoCacheImpliesCacheControl,
	cookiesAreRead,
	http2PrefaceEndsTheConnection,
	fieldsOfClientsAreUnset,
	headerIsNeverNil,
	generalOptionsReadLittle,
	contextIsTheRequests,
}

// seen starts a server that responds to each request and sends it to the returned channel.
func (t *test) seen() (*server, <-chan *http.Request) {
	seen := make(chan *http.Request, 1)
	return t.serve(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Clone(context.WithoutCancel(r.Context()))
	}), seen
}

func requestTargetIsParsed(t *test) {
	s, seen := t.seen()
	for _, c := range []struct {
		line, host string // request line, and expected Host
		url        string // scheme|host|path|raw path|query
	}{
		{"GET / HTTP/1.1", "example.test", "||/||"},
		{"GET /a/b?c=d&e HTTP/1.1", "example.test", "||/a/b||c=d&e"},
		{"GET /? HTTP/1.1", "example.test", "||/||"},
		{"GET /?a?b HTTP/1.1", "example.test", "||/||a?b"},
		{"GET //a//b HTTP/1.1", "example.test", "||//a//b||"},
		{"GET /a/../b/./c HTTP/1.1", "example.test", "||/a/../b/./c||"},
		{"GET /a%20b HTTP/1.1", "example.test", "||/a b||"},
		{"GET /a%2Fb HTTP/1.1", "example.test", "||/a/b|/a%2Fb|"},
		{"GET /a;b=c HTTP/1.1", "example.test", "||/a;b=c||"},
		{"GET /a:b HTTP/1.1", "example.test", "||/a:b||"},
		{"GET /?x=%zz HTTP/1.1", "example.test", "||/||x=%zz"},
		{"GET http://other.test/a?b HTTP/1.1", "other.test", "http|other.test|/a||b"},
		{"GET http://other.test HTTP/1.1", "other.test", "http|other.test|||"},
		{"GET https://other.test:8443/ HTTP/1.1", "other.test:8443", "https|other.test:8443|/||"},
		{"GET ftp://other.test/a HTTP/1.1", "other.test", "ftp|other.test|/a||"},
		{"GET /a#b HTTP/1.1", "example.test", "||/a#b|/a#b|"},
		{"OPTIONS /a HTTP/1.1", "example.test", "||/a||"},
		{"CONNECT other.test:443 HTTP/1.1", "other.test:443", "|other.test:443|||"},
		{"CONNECT /_goRPC_ HTTP/1.1", "example.test", "||/_goRPC_||"},
	} {
		t.each(c.line, func(t *test) {
			s.dial(t).exchange(c.line + "\r\nHost: example.test\r\nConnection: close\r\n\r\n")
			r := receive(t, seen, "request")
			u := r.URL
			if got := strings.Join([]string{u.Scheme, u.Host, u.Path, u.RawPath, u.RawQuery}, "|"); got != c.url {
				t.Errorf("URL is %s, want %s", got, c.url)
			}
			if r.Host != c.host {
				t.Errorf("Host is %q, want %q", r.Host, c.host)
			}
			if target := strings.Fields(c.line)[1]; r.RequestURI != target {
				t.Errorf("RequestURI is %q", r.RequestURI)
			}
		})
	}
}

func requestProtocolIsReported(t *test) {
	s, seen := t.seen()
	for _, minor := range []int{0, 1, 2, 9} {
		proto := fmt.Sprint("HTTP/1.", minor)
		a := s.dial(t).exchange("GET / " + proto + "\r\nHost: a\r\n\r\n")
		r := receive(t, seen, "request")
		if r.Proto != proto || r.ProtoMajor != 1 || r.ProtoMinor != minor {
			t.Errorf("protocol is %q, %d.%d; want %s", r.Proto, r.ProtoMajor, r.ProtoMinor, proto)
		}
		if want := fmt.Sprint("HTTP/1.", min(minor, 1)); a.Proto != want {
			t.Errorf("response to %s is %s, want %s", proto, a.Proto, want)
		}
	}
}

func requestHeaderIsParsed(t *test) {
	s, seen := t.seen()
	for _, c := range []struct {
		lines, key string
		want       []string
	}{
		{"X-Foo: bar", "X-Foo", []string{"bar"}},
		{"x-fOO: bar", "X-Foo", []string{"bar"}},
		{"x: y", "X", []string{"y"}},
		{"X_Foo.bar: a", "X_foo.bar", []string{"a"}},
		{"!#$%&'*+-.^_`|~09az: a", "!#$%&'*+-.^_`|~09az", []string{"a"}},
		{"X-Foo:bar", "X-Foo", []string{"bar"}},
		{"X-Foo: \t bar \t ", "X-Foo", []string{"bar"}},
		{"X-Foo:", "X-Foo", []string{""}},
		{"X-Foo:  \t", "X-Foo", []string{""}},
		{"X-Foo: a:b: c", "X-Foo", []string{"a:b: c"}},
		{"X-Foo: a  b\tc", "X-Foo", []string{"a  b\tc"}},
		{"X-Foo: a, b", "X-Foo", []string{"a, b"}},
		{"X-Foo: a\r\nX-Bar: b\r\nx-foo: c", "X-Foo", []string{"a", "c"}},
		{"X-Foo: \xe4\xff", "X-Foo", []string{"\xe4\xff"}},
		{"X-Foo: grün", "X-Foo", []string{"grün"}},
		{"X-Foo: a\r\n b", "X-Foo", []string{"a b"}},
		{"X-Foo: a \r\n\t  b\r\n c", "X-Foo", []string{"a b c"}},
		{"User-Agent: x", "User-Agent", []string{"x"}},
		{"Connection: foo", "Connection", []string{"foo"}},
		{"Connection: close", "Connection", []string{"close"}},
		{"Content-Length: 0", "Content-Length", []string{"0"}},
		{"Content-Length: 0\r\nContent-Length: 0", "Content-Length", []string{"0"}},
		{"Transfer-Encoding: chunked\r\nContent-Length: 9", "Transfer-Encoding", nil},
		{"Transfer-Encoding: chunked\r\nContent-Length: 9", "Content-Length", nil},
		{"Transfer-Encoding: chunked\r\nTrailer: X-Foo", "Trailer", nil},
		{"Trailer: X-Foo", "Trailer", []string{"X-Foo"}},
	} {
		t.each(c.lines, func(t *test) {
			s.dial(t).exchange("GET / HTTP/1.1\r\nHost: a\r\n" + c.lines + "\r\n\r\n0\r\n\r\n")
			r := receive(t, seen, "request")
			if got := r.Header[c.key]; !slices.Equal(got, c.want) {
				t.Errorf("header %s is %q, want %q; all: %q", c.key, got, c.want, r.Header)
			}
		})
	}
}

func hostIsNotAmongTheHeaders(t *test) {
	s, seen := t.seen()
	for _, host := range []string{"a.test", "a.test:8080", "127.0.0.1", "[::1]:80", "", "UPPER.test", "under_score"} {
		s.dial(t).exchange("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		r := receive(t, seen, "request")
		if _, ok := r.Header["Host"]; ok || r.Host != host {
			t.Errorf("Host is %q, header has it: %v; want %q", r.Host, ok, host)
		}
	}
	s.dial(t).exchange("GET / HTTP/1.0\r\n\r\n")
	if r := receive(t, seen, "request"); r.Host != "" {
		t.Errorf("Host is %q without the header", r.Host)
	}
}

func requestBodyIsDescribed(t *test) {
	s, seen := t.seen()
	for _, c := range []struct {
		raw      string
		length   int64
		encoding []string
		noBody   bool
	}{
		{get("/"), 0, nil, true},
		{request("POST", "/"), 0, nil, true},
		{request("POST", "/", "Content-Length: 0"), 0, nil, true},
		{post("/", "abc"), 3, nil, false},
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 3, nil, false},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", 3, nil, false},
		{chunked("/", "abc"), -1, []string{"chunked"}, false},
		{request("POST", "/", "Transfer-Encoding: CHUNKED") + "0\r\n\r\n", -1, []string{"chunked"}, false},
		{"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 3, nil, false},
		{"POST / HTTP/1.0\r\n\r\n", 0, nil, true},
	} {
		s.dial(t).exchange(c.raw)
		r := receive(t, seen, "request")
		if r.ContentLength != c.length || !slices.Equal(r.TransferEncoding, c.encoding) {
			t.Errorf("%q: length %d, encoding %q", c.raw, r.ContentLength, r.TransferEncoding)
		}
		if r.Body == nil || (r.Body == http.NoBody) != c.noBody {
			t.Errorf("%q: body is %T", c.raw, r.Body)
		}
	}
}

func anyMethodTokenIsAccepted(t *test) {
	s, seen := t.seen()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
		"PROPFIND", "M-SEARCH", "get", "X", "!#$%&'*+-.^_`|~09az"} {
		s.dial(t).exchange(request(method, "/"))
		if r := receive(t, seen, "request"); r.Method != method {
			t.Errorf("method is %q, want %q", r.Method, method)
		}
	}
}

func remoteAddrIsTheClients(t *test) {
	s, seen := t.seen()
	c := s.dial(t)
	c.exchange(get("/"))
	r := receive(t, seen, "request")
	if _, ok := s.Addr.(*net.TCPAddr); ok && r.RemoteAddr != c.LocalAddr().String() {
		t.Errorf("RemoteAddr is %q, the client's address is %s", r.RemoteAddr, c.LocalAddr())
	}
	if r.TLS != nil {
		t.Errorf("TLS is %v", r.TLS)
	}
}

func optionsStarIsAnsweredByTheServer(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) }).dial(t)
	c.send(request("OPTIONS", "*"))
	if a := c.wants(200, ""); a.Header.Get("Content-Length") != "0" || len(a.Header) != 2 {
		t.Errorf("header is %v", a.Header)
	}
	c.send(request("OPTIONS", "*", "Content-Length: 3") + "abc")
	c.wants(200, "")
	c.send(request("OPTIONS", "/"))
	c.wants(418, "")
}

func optionsStarReachesHandlerIfAsked(t *test) {
	c := t.start(&http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.RequestURI+" "+r.URL.Path)
		}),
		DisableGeneralOptionsHandler: true,
	}).dial(t)
	c.send(request("OPTIONS", "*"))
	c.wants(200, "* *")
}

func connectReachesHandler(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.Method+" "+r.URL.Host, http.StatusForbidden)
	}).dial(t)
	c.send(request("CONNECT", "other.test:443"))
	c.wants(http.StatusForbidden, "CONNECT other.test:443\n")
	if gohttp.ConnectCloses {
		c.ends()
	} else {
		c.goesOn()
	}
}

// connectNeedsNoHost: RFC 9112, 3.2, demands Host, but some clients send none; see
// golang.org/issue/18215.
func connectNeedsNoHost(t *test) {
	s, seen := t.seen()
	if a := s.dial(t).exchange("CONNECT other.test:443 HTTP/1.1\r\nConnection: close\r\n\r\n"); a.StatusCode != 200 {
		t.Errorf("status is %s", a.Status)
	}
	if r := receive(t, seen, "request"); r.Host != "other.test:443" {
		t.Errorf("Host is %q", r.Host)
	}
}

func serveMuxMatchesPatterns(t *test) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Pattern+" "+r.PathValue("id"))
	})
	c := t.start(&http.Server{Handler: mux}).dial(t)
	c.send(get("/items/1"))
	c.wants(200, "GET /items/{id} 1")
	c.send(get("/items/a%2Fb"))
	c.wants(200, "GET /items/{id} a/b")
	c.send(request("PUT", "/items/1"))
	if a := c.wants(405, "Method Not Allowed\n"); a.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow is %q", a.Header.Get("Allow"))
	}
	c.send(get("/a/../items/2"))
	if a := c.answer("GET"); a.Header.Get("Location") != "/items/2" {
		t.Errorf("status %d, Location %q", a.StatusCode, a.Header.Get("Location"))
	}
	c.send(get("/none"))
	c.wants(404, "404 page not found\n")
}

func pragmaNoCacheImpliesCacheControl(t *test) {
	s, seen := t.seen()
	s.dial(t).exchange(get("/", "Pragma: no-cache"))
	if r := receive(t, seen, "request"); r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("header is %v", r.Header)
	}
}

func cookiesAreRead(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		for _, cookie := range r.Cookies() {
			http.SetCookie(w, &http.Cookie{Name: cookie.Name, Value: cookie.Value + "!", Path: "/"})
		}
	}).dial(t)
	a := c.exchange(get("/", "Cookie: a=1; b=two", "Cookie: c=\"3\""))
	want := []string{"a=1!; Path=/", "b=two!; Path=/", "c=3!; Path=/"}
	if got := a.Header["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("Set-Cookie is %q, want %q", got, want)
	}
}

// http2PrefaceEndsTheConnection: a handler may see the preface of HTTP/2, or it may be refused; in
// either case the bytes after it must not be taken for an HTTP/1.1 request.
func http2PrefaceEndsTheConnection(t *test) {
	targets := make(chan string, 9)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { targets <- r.Method }).dial(t)
	c.send("PRI * HTTP/2.0\r\n\r\n" + get("/"))
	c.rest()
	for len(targets) > 0 {
		if m := <-targets; m != "PRI" {
			t.Errorf("a request %s was taken from behind the preface", m)
		}
	}
}

// fieldsOfClientsAreUnset: some fields of a Request have no meaning in a server, or are set by its
// methods.
func fieldsOfClientsAreUnset(t *test) {
	unset := make(chan string, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		//lint:ignore SA1019 it is deprecated, and must not be set
		for name, set := range map[string]bool{"Cancel": r.Cancel != nil, "GetBody": r.GetBody != nil, "Response": r.Response != nil,
			"Form": r.Form != nil, "PostForm": r.PostForm != nil, "MultipartForm": r.MultipartForm != nil, "TLS": r.TLS != nil, "User": r.URL.User != nil,
			"PathValue": r.PathValue("a") != ""} {
			if set {
				b.WriteString(name + " ")
			}
		}
		unset <- b.String()
	})
	for _, raw := range []string{get("/a?b=c"), post("/a", "b=c", "Content-Type: application/x-www-form-urlencoded"), chunked("/", "abc"), "GET / HTTP/1.0\r\n\r\n"} {
		s.dial(t).exchange(raw)
		if set := receive(t, unset, "request"); set != "" {
			t.Errorf("%.30q: set are %s", raw, set)
		}
	}
	other, seen := t.seen()
	other.dial(t).exchange(get("/"))
	if r := receive(t, seen, "request"); r.Trailer != nil || r.TransferEncoding != nil {
		t.Errorf("Trailer is %v, TransferEncoding %v; want nil", r.Trailer, r.TransferEncoding)
	}
}

func headerIsNeverNil(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header == nil, len(r.Header), w.Header() == nil, len(w.Header()))
		r.Header.Set("X", "y")
	}).dial(t)
	for _, raw := range []string{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", get("/"), "GET / HTTP/1.0\r\n\r\n"} {
		c.send(raw)
		want := "false 0 false 0"
		if strings.Contains(raw, "keep-alive") {
			want = "false 1 false 0"
		}
		c.wants(200, want)
	}
}

// generalOptionsReadLittle: the body of OPTIONS * has no meaning, so the server should read little
// of it.
func generalOptionsReadLittle(t *test) {
	s := t.serve(echoTarget)
	c := s.dial(t)
	c.sendBeside(request("OPTIONS", "*", "Content-Length: 10000") + pattern(10_000) + get("/next"))
	if a := c.wants(200, ""); !a.Close {
		t.Errorf("response has no Connection: close")
	}
	c.ends()
	c = s.dial(t)
	c.send(request("OPTIONS", "*", "Content-Length: 4000") + pattern(4000) + get("/next"))
	if a := c.wants(200, ""); a.Close {
		t.Errorf("response has Connection: close")
	}
	c.wants(200, "/next")
}

// contextIsTheRequests: copies with another context do not change the original request.
func contextIsTheRequests(t *test) {
	type key struct{}
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		r2 := r.WithContext(context.WithValue(ctx, key{}, "value"))
		r3 := r2.Clone(r2.Context())
		r3.Header.Set("X", "changed")
		fmt.Fprint(w, r.Context() == ctx, ctx.Value(key{}), r2.Context().Value(key{}), r3.Context().Value(key{}), r.Header.Get("X"), r2.RemoteAddr == r.RemoteAddr)
	}).dial(t)
	c.send(get("/", "X: y"))
	c.wants(200, "true <nil>valuevalueytrue")
}
