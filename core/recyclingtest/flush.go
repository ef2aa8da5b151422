package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

var flushes = []behaviour{
	flushSendsWhatIsWritten,
	flushSendsTheHeaderAlone,
	flushedResponseIsStreamedToHTTP10,
}

func flushSendsWhatIsWritten(t *test) {
	next := make(chan bool)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprint(w, "part ", i)
			w.(http.Flusher).Flush()
			<-next
		}
	}).dial(t)
	defer close(next)
	c.send(get("/"))
	c.head()
	for i := range 3 {
		c.bytes(fmt.Sprint("6\r\npart ", i, "\r\n"))
		give(t, next, true)
	}
	c.bytes("0\r\n\r\n")
	c.send(get("/again"))
	for range 3 {
		give(t, next, true)
	}
	c.wants(200, "part 0part 1part 2")
}

func flushSendsTheHeaderAlone(t *test) {
	g := t.newGate()
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Foo", "bar")
		w.(http.Flusher).Flush()
		<-g
		io.WriteString(w, "late")
	}).dial(t)
	c.send(get("/"))
	if h := c.head(); !strings.Contains(h, "X-Foo: bar\r\n") || strings.Contains(h, "Content-Type") {
		t.Errorf("header is %q", h)
	}
	g.open()
	c.bytes("4\r\nlate\r\n0\r\n\r\n")
}

func flushedResponseIsStreamedToHTTP10(t *test) {
	g := t.newGate()
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		<-g
		io.WriteString(w, "last")
	}).dial(t)
	c.send("GET / HTTP/1.0\r\n\r\n")
	c.head()
	c.bytes("first ")
	g.open()
	c.bytes("last")
	c.ends()
}
