package recyclingtest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

var errSource = errors.New("broken source")

// A source is a reader to copy a response from. It returns size bytes of content, and then err.
type source struct {
	io.Reader
	content string
	err     error
}

const sourceSize = 100_000

// sources are the kinds of sources. If a system does not support a kind, the Reader is nil.
var sources = []struct {
	name string
	open func(t *test, w http.ResponseWriter) source
}{
	{"memory", func(t *test, w http.ResponseWriter) source {
		return source{strings.NewReader(pattern(sourceSize)), pattern(sourceSize), nil}
	}},
	{"file", func(t *test, w http.ResponseWriter) source {
		name, content := t.file(sourceSize)
		return source{t.open(name), content, nil}
	}},
	{"file that the kernel does not send", func(t *test, w http.ResponseWriter) source {
		const name = "/proc/self/limits"
		content, err := os.ReadFile(name)
		if err != nil {
			return source{}
		}
		return source{t.open(name), string(content), nil}
	}},
	{"pipe", func(t *test, w http.ResponseWriter) source {
		r, sink, err := os.Pipe()
		if err != nil {
			return source{}
		}
		t.Cleanup(func() { r.Close() })
		go t.feed(sink)
		return source{r, pattern(sourceSize), nil}
	}},
	{"socket", func(t *test, w http.ResponseWriter) source {
		r, sink := t.sockets("tcp", "127.0.0.1:0")
		go t.feed(sink)
		return source{r, pattern(sourceSize), nil}
	}},
	{"Unix socket", func(t *test, w http.ResponseWriter) source {
		r, sink := t.sockets("unix", "")
		go t.feed(sink)
		return source{r, pattern(sourceSize), nil}
	}},
	{"pipe in memory", func(t *test, w http.ResponseWriter) source {
		r, sink := io.Pipe()
		t.Cleanup(func() { r.Close() })
		go t.feed(sink)
		return source{r, pattern(sourceSize), nil}
	}},
	{"closed file", func(t *test, w http.ResponseWriter) source {
		name, _ := t.file(sourceSize)
		f := t.open(name)
		f.Close()
		return source{f, "", os.ErrClosed}
	}},
	{"source that fails", func(t *test, w http.ResponseWriter) source {
		r := inOrder(strings.NewReader(pattern(5000)), failing{})
		return source{r, pattern(5000), errSource}
	}},
	{"source that fails at once", func(t *test, w http.ResponseWriter) source {
		return source{failing{}, "", errSource}
	}},
	{"empty source", func(t *test, w http.ResponseWriter) source {
		return source{strings.NewReader(""), "", nil}
	}},
	{"source that uses the ResponseWriter", func(t *test, w http.ResponseWriter) source {
		return source{&calling{strings.NewReader(pattern(sourceSize)), w}, pattern(sourceSize), nil}
	}},
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errSource }

// A calling reader uses the ResponseWriter while it is read.
type calling struct {
	r io.Reader
	w http.ResponseWriter
}

func (c *calling) Read(p []byte) (int, error) {
	c.w.Header().Set("X-Late", "late")
	http.NewResponseController(c.w).Flush()
	return c.r.Read(p)
}

func (t *test) open(name string) *os.File {
	f, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// feed writes the content of a source, and closes sink.
func (t *test) feed(sink io.WriteCloser) {
	io.WriteString(sink, pattern(sourceSize))
	sink.Close()
}

// sockets returns the two ends of a connection.
func (t *test) sockets(network, address string) (r, w net.Conn) {
	if network == "unix" {
		dir, err := os.MkdirTemp("", "") // t.TempDir is too long for the name of a socket
		if err != nil {
			panic(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		address = dir + "/s"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		panic(err)
	}
	defer l.Close()
	if w, err = net.Dial(network, l.Addr().String()); err == nil {
		r, err = l.Accept()
	}
	if err != nil {
		panic(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}
