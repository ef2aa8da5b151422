package applications

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestListIsComplete(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	frameworks, traits := map[string]bool{}, map[string]bool{}
	names := map[string]bool{}
	for _, a := range all {
		if names[a.Name] {
			t.Errorf("there are two applications %s", a.Name)
		}
		names[a.Name] = true
		frameworks[a.Framework] = true
		for _, trait := range a.Traits {
			traits[trait] = true
		}
		if len(a.Requests) < 10 {
			t.Errorf("%s has %d requests, want at least 10", a.Name, len(a.Requests))
		}
		if len(a.Add) > 0 && a.Note == "" {
			t.Errorf("%s adds files, and has no note that says so", a.Name)
		}
	}
	if len(all) < 8 {
		t.Errorf("there are %d applications, want at least 8", len(all))
	}
	for _, want := range []string{"gin", "echo", "chi", "net/http"} {
		if !frameworks[want] {
			t.Errorf("no application is written for %s", want)
		}
	}
	for _, want := range []string{"vendored", "its own listener", "TLS", "WebSockets"} {
		if !traits[want] {
			t.Errorf("no application has the trait %q", want)
		}
	}
}

func TestWrongFieldsAreNamed(t *testing.T) {
	right := func() *Application {
		return &Application{Name: "some", Module: "example.com/some@v1.0.0", Package: ".", Framework: "gin", Ready: "/", Load: "/", Requests: []Request{{Path: "/"}}}
	}
	if err := right().check(); err != nil {
		t.Fatalf("a right application: %v", err)
	}
	for want, change := range map[string]func(*Application){
		"Name":                   func(a *Application) { a.Name = "../some" },
		"Module":                 func(a *Application) { a.Module = "example.com/some" },
		"Package":                func(a *Application) { a.Package = "cmd" },
		"Framework":              func(a *Application) { a.Framework = "" },
		"Ready":                  func(a *Application) { a.Ready = "ready" },
		"Load":                   func(a *Application) { a.Load = "" },
		"Requests is empty":      func(a *Application) { a.Requests = nil },
		"Requests[0]: Path":      func(a *Application) { a.Requests[0].Path = "x" },
		"Requests[0]: Header":    func(a *Application) { a.Requests[0].Header = []string{"a: b\r\nc: d"} },
		"Requests[0]: Save[x]":   func(a *Application) { a.Requests[0].Save = map[string]string{"x": "no group"} },
		"Requests[0]: During[0]": func(a *Application) { a.Requests[0].During = []Request{{Path: "/", Receive: 1}} },
		"Masks[0]: Match":        func(a *Application) { a.Masks = []Mask{{Match: "(", Why: "x"}} },
		"Masks[0]: Match and ":   func(a *Application) { a.Masks = []Mask{{Match: "x"}} },
		"Add":                    func(a *Application) { a.Add = map[string][]string{"../x": nil} },
		"Files":                  func(a *Application) { a.Files = map[string][]string{"/x": nil} },
	} {
		a := right()
		change(a)
		if err := a.check(); err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), "field ", ""), want) {
			t.Errorf("%v, want an error that begins with %s", err, want)
		}
	}
	if _, err := parse("some.json", []byte(`{"Name": "some", "Port": 1}`)); err == nil || !strings.Contains(err.Error(), "Port") {
		t.Errorf("an unknown field: %v, want it named", err)
	}
}

func TestVariablesAreExpanded(t *testing.T) {
	v := values{"port": "4711", "id": "x{port}"}
	if got, want := v.expand(`{"n":{port},"a":"{id}","b":{unknown}} {}`), `{"n":4711,"a":"x{port}","b":{unknown}} {}`; got != want {
		t.Errorf("expand: %s, want %s", got, want)
	}
	r := Request{Path: "/{id}", During: []Request{{Path: "/{port}"}}}
	r.expand(v)
	if r.During[0].Path != "/{port}" {
		t.Errorf("expand has changed the list: %v", r)
	}
	v.save(Request{Save: map[string]string{"token": `"token":"([^"]+)"`, "none": "(none)"}}, answer{Body: `{"token":"abc"}`})
	if v["token"] != "abc" {
		t.Errorf("saved %q, want abc", v["token"])
	}
	if _, ok := v["none"]; ok {
		t.Error("saved what is not there")
	}
}

func TestMasksCoverOnlyWhatTheyMatch(t *testing.T) {
	m := newMasks([]Mask{{Match: `"id":"\w+"`, Why: "id"}})
	va, vb := values{"dir": "/tmp/a", "port": "40001"}, values{"dir": "/tmp/b", "port": "40002"}
	a := answer{Header: "HTTP/1.1 200 OK\r\nDate: Mon\r\nContent-Length: 11\r\nX: http://h:40001/tmp/a\r\n\r\n", Body: `{"id":"abc"}`}
	same := answer{Header: "HTTP/1.1 200 OK\r\nDate: Tue\r\nContent-Length: 12\r\nX: http://h:40002/tmp/b\r\n\r\n", Body: `{"id":"abcd"}`}
	if d := m.compare("GET /", a, same, va, vb); len(d) > 0 {
		t.Errorf("answers that differ only in what is covered: %v", d)
	}
	for what, change := range map[string]func(*answer){
		"header":     func(a *answer) { a.Header = strings.Replace(a.Header, "X: ", "x: ", 1) },
		"body":       func(a *answer) { a.Body += "\n" },
		"trailer":    func(a *answer) { a.Trailer = "A: b\r\n" },
		"messages":   func(a *answer) { a.Messages = []string{"one"} },
		"connection": func(a *answer) { a.Closes = true },
		"error":      func(a *answer) { a.Err = "reset" },
	} {
		b := same
		change(&b)
		if d := m.compare("GET /", a, b, va, vb); len(d) == 0 || d[len(d)-1].What != what && what != "body" {
			t.Errorf("another %s: found %v", what, d)
		}
	}
	// Without a mask that explains it, another length is a difference.
	b := same
	b.Body = a.Body
	if d := m.compare("GET /", a, b, va, vb); len(d) != 1 || d[0].Plain != "Content-Length: 11" || d[0].Other != "Content-Length: 12" {
		t.Errorf("another Content-Length of the same body: %v, want the difference", d)
	}
}

func TestFirstDifferenceHasItsLine(t *testing.T) {
	a, b := firstDifference("one\r\nkey: value\r\nend", "one\r\nkey: other\r\nend")
	if a != "key: value" || b != "key: other" {
		t.Errorf("%q and %q", a, b)
	}
	if a, b = firstDifference("same", "same and more"); a != "same" || b != "same and more" {
		t.Errorf("%q and %q", a, b)
	}
}

// serveRaw answers the n-th request on each connection with the n-th response, and then closes it.
func serveRaw(t *testing.T, responses ...string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(c)
			for _, response := range responses {
				req, err := http.ReadRequest(r)
				if err != nil {
					break
				}
				io.Copy(io.Discard, req.Body)
				io.WriteString(c, response)
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestClientKeepsWhatIsOnTheWire(t *testing.T) {
	const first = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 Fine\r\nb: 1\r\nA: 2\r\nTransfer-Encoding: chunked\r\nTrailer: C\r\n\r\n"
	addr := serveRaw(t, first+"3\r\nHey\r\n1\r\n!\r\n0\r\nC: 3\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHe")
	c := client{addr: addr}
	defer c.close()
	got := c.do(Request{Method: "POST", Path: "/", Body: strings.Repeat("x", 2500), Chunks: true})
	if want := (answer{Header: first, Body: "Hey!", Trailer: "C: 3\r\n"}); !reflect.DeepEqual(got, want) {
		t.Errorf("the first answer is %+v, want %+v", got, want)
	}
	if got = c.do(Request{Path: "/"}); got.Body != "He" || got.Err != io.ErrUnexpectedEOF.Error() {
		t.Errorf("the second answer is %+v, want an error with the part of the body", got)
	}
	if got = c.do(Request{Path: "/"}); got.Header != first || got.Err != "" {
		t.Errorf("after an error: %+v, want the first answer on a new connection", got)
	}
}

func TestReplayComparesRecordings(t *testing.T) {
	m := newMasks(nil)
	one := recording{entries: []entry{{"GET /", answer{Body: "a"}}, {"GET /b", answer{Body: "b"}}}}
	two := recording{entries: []entry{{"GET /", answer{Body: "a"}}, {"GET /b", answer{Body: "c"}}}}
	d := m.compareAll(one, two)
	if len(d) != 1 || d[0] != (Difference{"GET /b", "body", "b", "c"}) {
		t.Errorf("%+v, want the second body", d)
	}
}

func TestResultsOfTestsAreParsed(t *testing.T) {
	out := `{"Action":"start","Package":"a/b.c"}
not JSON
{"Action":"run","Package":"a/b.c","Test":"TestX"}
{"Action":"output","Package":"a/b.c","Test":"TestX","Output":"{\"Action\":\"fail\"}"}
{"Action":"pass","Package":"a/b.c","Test":"TestX/sub.Test"}
{"Action":"fail","Package":"a/b.c","Test":"TestX/https://127.0.0.1:4711/y"}
{"Action":"pass","Package":"a/b.c","Test":"TestX/https://127.0.0.1:4712/y"}
{"Action":"fail","Package":"a/b.c","Test":"TestX"}
{"Action":"fail","Package":"a/b.c"}
{"Action":"fail","Package":"a/d"}
{"Action":"skip","Package":"a/e"}
`
	got := parseResults([]byte(out))
	if want := (results{"a/b.c.TestX/sub.Test": "pass", "a/b.c.TestX/https://127.0.0.1:{port}/y": "fail", "a/b.c.TestX": "fail", "a/d": "fail"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	other := results{"a/b.c.TestX/sub.Test": "pass", "a/b.c.TestX/https://127.0.0.1:{port}/y": "fail", "a/b.c.TestX": "pass", "a/d.TestY": "pass"}
	if d := differ(got, other); !reflect.DeepEqual(d, []string{"a/b.c.TestX", "a/d", "a/d.TestY"}) {
		t.Errorf("%v differ", d)
	}
	for name, want := range map[string]string{"a/b.c.TestX/sub.Test": "a/b.c", "a/d": "a/d", "a/b.ExampleServer": "a/b"} {
		if got := packageOf(name); got != want {
			t.Errorf("package of %s: %s, want %s", name, got, want)
		}
	}
}

// countStops sends requests to addr as stopUnderLoad does, until enough returns true.
func countStops(t *testing.T, addr string, enough func(Stop) bool) Stop {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{app: &Application{}, values: values{"port": port}}
	s := &stopTrial{process: p, path: "/"}
	var clients sync.WaitGroup
	s.begin()
	clients.Go(s.keepAlive)
	clients.Go(s.newConnections)
	counted := func() Stop {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.counts
	}
	for deadline := time.Now().Add(20 * time.Second); !enough(counted()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("counted only %+v in 20 s", counted())
			break
		}
	}
	s.end()
	clients.Wait()
	return s.counts
}

func TestStopCountsWhatIsLost(t *testing.T) {
	answered := func(n Stop) bool { return n.Answered > 10 }
	broken := func(n Stop) bool { return n.Broken > 10 }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Hey!") }))
	addr := srv.Listener.Addr().String()
	if n := countStops(t, addr, answered); n.Refused+n.Broken > 0 {
		t.Errorf("a server that serves: %+v", n)
	}
	srv.Close()
	if n := countStops(t, addr, func(n Stop) bool { return n.Refused > 4 }); n.Answered+n.Broken > 0 {
		t.Errorf("a server that is gone: %+v", n)
	}
	// The first request of each connection gets a response, and the second one a part of a
	// response.
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHe"
	if n := countStops(t, serveRaw(t, whole, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHe"), broken); n.Answered == 0 || n.Closed > 0 {
		t.Errorf("a server that breaks off: %+v", n)
	}
	if n := countStops(t, serveRaw(t, whole), broken); n.Answered == 0 || n.Closed != n.Broken {
		t.Errorf("a server that closes idle connections: %+v", n)
	}
}

func TestRatioIsTheMedianOfRounds(t *testing.T) {
	if got, want := ratioAndRange([kinds][]float64{{10, 10, 20}, {5, 9, 12}}), "**0.60** (0.50–0.90)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := ratioAndRange([kinds][]float64{{10, 10}, {10, 30}}), "2.00 (1.00–3.00)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := ratio([kinds][]float64{{0}, {5}}); got != "" {
		t.Errorf("a ratio to zero: %s, want none", got)
	}
	if got, want := timeRatio([kinds]time.Duration{20 * time.Second, 25 * time.Second}), "*1.25*"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWrongConfigsAreNamed(t *testing.T) {
	for want, c := range map[string]Config{
		`"nothing"`: {Parts: []string{"nothing"}},
		"Rounds":    {Rounds: -1},
		"Duration":  {Duration: -1},
	} {
		if err := c.setDefaults(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s named", err, want)
		}
	}
	if _, err := choose([]string{"unknown"}); err == nil || !strings.Contains(err.Error(), `"unknown"`) {
		t.Errorf("%v, want the unknown application named", err)
	}
	file := filepath.Join(t.TempDir(), "some.json")
	os.WriteFile(file, []byte(`{"Name":"some"}`), 0o666)
	if _, err := choose([]string{file}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v, want the file named", err)
	}
}

func TestResultsAreWritten(t *testing.T) {
	f := newFindings()
	f.Results = []*Result{
		{Name: "some", Module: "example.com/some@v1.2.3", Framework: "gin", Traits: []string{"TLS"}, Exits: true, Replay: &Replay{Requests: 3}, Stop: &[kinds]*Stop{{Broken: 1}, {Broken: 2}}},
		{Name: "other", Module: "example.com/other@v1.0.0", Framework: "chi", Error: "build", Build: &BuildTime{Cold: [kinds]time.Duration{10, 11}, Warm: [kinds]time.Duration{300 * time.Millisecond, time.Second}}},
	}
	dir := t.TempDir()
	if err := f.write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "applications.md"))
	want := `| application | built with | responses that differ | requests lost by SIGTERM | cold build | warm build |
|---|---|---|---|---|---|
| some v1.2.3 | gin, TLS | 0 of 3 | 1 → 2, exits at once |  |  |
| other v1.0.0 | chi | failed |  | *1.10* | 0.3 → 1.0 s |
`
	if err != nil || !strings.HasPrefix(string(text), want) {
		t.Errorf("%s, %v, want\n%s", text, err, want)
	}
	if text, err = os.ReadFile(filepath.Join(dir, "applications.json")); err != nil || !strings.Contains(string(text), `"Requests": 3`) {
		t.Errorf("%s, %v", text, err)
	}
}
