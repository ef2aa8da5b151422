package recycling_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// keepable is what an application may keep of a request after the handler has returned.
var keepable = []struct {
	name string
	get  func(http.ResponseWriter, *http.Request) any
}{
	{"header value", func(_ http.ResponseWriter, r *http.Request) any { return r.Header.Get("X-Key") }},
	{"long header value", func(_ http.ResponseWriter, r *http.Request) any { return r.Header.Get("X-Long") }},
	{"folded header value", func(_ http.ResponseWriter, r *http.Request) any { return r.Header.Get("X-Folded") }},
	{"header name", func(_ http.ResponseWriter, r *http.Request) any {
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Name-") {
				return name
			}
		}
		return nil
	}},
	{"header values", func(_ http.ResponseWriter, r *http.Request) any { return r.Header["X-Key"] }},
	{"header", func(_ http.ResponseWriter, r *http.Request) any { return r.Header }},
	{"method", func(_ http.ResponseWriter, r *http.Request) any { return r.Method }},
	{"protocol", func(_ http.ResponseWriter, r *http.Request) any { return r.Proto }},
	{"request URI", func(_ http.ResponseWriter, r *http.Request) any { return r.RequestURI }},
	{"host", func(_ http.ResponseWriter, r *http.Request) any { return r.Host }},
	{"path", func(_ http.ResponseWriter, r *http.Request) any { return r.URL.Path }},
	{"query", func(_ http.ResponseWriter, r *http.Request) any { return r.URL.RawQuery }},
	{"URL", func(_ http.ResponseWriter, r *http.Request) any { return r.URL }},
	{"form value", func(_ http.ResponseWriter, r *http.Request) any { return r.FormValue("id") }},
	{"cookie value", func(_ http.ResponseWriter, r *http.Request) any {
		c, _ := r.Cookie("id")
		return c.Value
	}},
	{"credentials", func(_ http.ResponseWriter, r *http.Request) any { return r.Header.Get("Authorization") }},
	{"remote address", func(_ http.ResponseWriter, r *http.Request) any { return r.RemoteAddr }},
	{"trailer name", func(_ http.ResponseWriter, r *http.Request) any {
		for name := range r.Trailer {
			return name
		}
		return nil
	}},
	{"trailer value", func(_ http.ResponseWriter, r *http.Request) any {
		io.Copy(io.Discard, r.Body)
		return r.Trailer.Get("X-Trailer")
	}},
	{"trailer", func(_ http.ResponseWriter, r *http.Request) any {
		io.Copy(io.Discard, r.Body)
		return r.Trailer
	}},
	{"context", func(_ http.ResponseWriter, r *http.Request) any { return r.Context() }},
	{"context that was waited for", func(_ http.ResponseWriter, r *http.Request) any {
		select {
		case <-r.Context().Done():
		default:
		}
		return r.Context()
	}},
	{"context without cancel", func(_ http.ResponseWriter, r *http.Request) any { return context.WithoutCancel(r.Context()) }},
	{"context with a value", func(_ http.ResponseWriter, r *http.Request) any {
		return context.WithValue(r.Context(), keptKey{}, 1)
	}},
	{"context with cancel", func(_ http.ResponseWriter, r *http.Request) any {
		ctx, cancel := context.WithCancel(r.Context())
		return [2]any{ctx, cancel}
	}},
	{"request", func(_ http.ResponseWriter, r *http.Request) any { return r }},
	{"request with another context", func(_ http.ResponseWriter, r *http.Request) any { return r.WithContext(context.Background()) }},
	{"body", func(_ http.ResponseWriter, r *http.Request) any { return r.Body }},
	{"body that was read", func(_ http.ResponseWriter, r *http.Request) any {
		io.Copy(io.Discard, r.Body)
		return r.Body
	}},
	{"ResponseWriter", func(w http.ResponseWriter, r *http.Request) any { return w }},
	{"ResponseWriter's header", func(w http.ResponseWriter, r *http.Request) any { return w.Header() }},
	{"ResponseController", func(w http.ResponseWriter, r *http.Request) any { return http.NewResponseController(w) }},
}

type keptKey struct{}

// A keeper is a server whose handler keeps what the test chooses.
type keeper struct {
	answers *bufio.Reader
	conn    net.Conn
	get     func(http.ResponseWriter, *http.Request) any
	kept    []any
}

// keeper starts a keeper. It is closed with the test, but not by start, which would check for what
// others have left.
func (m mode) keeper(t *testing.T) *keeper {
	k := new(keeper)
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(&recycling.Server{Strategy: m.strategy, HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := k.get(w, r); cap(k.kept) > 0 {
			k.kept = append(k.kept, v)
		}
	})}}, l)
	t.Cleanup(func() {
		s.Close()
		s.ended(t, http.ErrServerClosed)
	})
	if k.conn, err = net.Dial("tcp", s.addr.String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.conn.Close() })
	k.answers = bufio.NewReader(k.conn)
	return k
}

// ask sends one request of each block.
func (k *keeper) ask(t *testing.T, blocks []string) {
	for _, b := range blocks {
		io.WriteString(k.conn, b)
		res, err := http.ReadResponse(k.answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
	}
}

// cost returns how many bytes of memory a request takes after its handler has returned, if the
// result of get is kept.
func (k *keeper) cost(t *testing.T, blocks []string, get func(http.ResponseWriter, *http.Request) any) int {
	k.get, k.kept = get, nil
	k.ask(t, blocks[:2])
	k.kept = make([]any, 0, len(blocks))
	before := heap()
	k.ask(t, blocks)
	cost := (heap() - before) / len(blocks)
	k.kept = nil
	return cost
}

func heap() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // frees what is pooled
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// What an application keeps of a request retains at most twice as much memory as under net/http,
// however long the header is, which the client chooses.
func TestWhatIsKeptOfARequestKeepsNoMore(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of waiting")
	}
	control, own, wrapped := goroutineOwn.keeper(t), recyclingOwn.keeper(t), recyclingWrapped.keeper(t)
	for _, b := range []struct{ size, requests int }{{200, 150}, {4 << 10, 50}, {64 << 10, 8}, {1 << 20, 2}} {
		var blocks []string
		for i := range b.requests {
			blocks = append(blocks, blockOf(i, b.size))
		}
		subjects := map[string]*keeper{"recycling": own}
		if b.size == 4<<10 {
			subjects["recycling on a wrapped listener"] = wrapped
		}
		slack := 4 << 10 / b.requests // other things take memory too
		for _, thing := range keepable {
			want := 0 // below the precision of the measurement
			for name, k := range subjects {
				got := k.cost(t, blocks, thing.get)
				for n := 0; n < 6 && got > 2*want+slack; n++ {
					if n > 0 {
						got = k.cost(t, blocks, thing.get)
					}
					want = max(control.cost(t, blocks, thing.get), 0)
				}
				t.Logf("%7d %-30s %8d %8d %s", b.size, thing.name, got, want, name)
				if got > 2*want+slack {
					t.Errorf("%s: a %s that is kept of a header of %d bytes holds %d bytes, under net/http %d", name, thing.name, b.size, got, want)
				}
			}
		}
	}
}

// blockOf returns the i-th request, with a header of about size bytes, half of them in one field.
func blockOf(i, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST /items/%06d?id=%06d HTTP/1.1\r\nHost: host-%06d\r\nX-Key: key-%06d\r\nX-Name-%06d: x\r\nCookie: id=%06d\r\n"+
		"X-Folded: a\r\n %06d\r\nAuthorization: %06d\r\nTransfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n", i, i, i, i, i, i, i, i)
	fill := (size - b.Len()) / 2
	step := max(200, fill/400) // there may be a limit of 500 fields
	for rest := fill; rest > 0; rest -= step {
		fmt.Fprintf(&b, "X-%d: %s\r\n", rest, strings.Repeat("y", step))
	}
	if n := size - b.Len(); n > 0 {
		fmt.Fprintf(&b, "X-Long: %s\r\n", strings.Repeat("z", n))
	}
	fmt.Fprintf(&b, "\r\n2\r\nhi\r\n0\r\nX-Trailer: value-%06d\r\n\r\n", i)
	return b.String()
}
