package soak

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestACanaryKnowsItsSong(t *testing.T) {
	const c = canary(0xabc)
	for _, n := range []int{0, 1, 3, 4, 5, 1000} {
		if got, ok, err := c.hear(iotest{bytes.NewReader(c.song(n))}); got != n || !ok || err != nil {
			t.Errorf("%d bytes: %d, %v, %v", n, got, ok, err)
		}
	}
	song := c.song(100)
	song[50] ^= 1
	if _, ok, _ := c.hear(bytes.NewReader(song)); ok {
		t.Error("one byte of another is not heard")
	}
	if _, ok, _ := c.hear(bytes.NewReader(canary(0xabd).song(3))); ok {
		t.Error("another's song is not heard")
	}
}

// An iotest reads three bytes at the most.
type iotest struct{ r io.Reader }

func (i iotest) Read(b []byte) (int, error) { return i.r.Read(b[:min(len(b), 3)]) }

func TestAnswersOfOthersAreNoticed(t *testing.T) {
	r := request{canary: 0xabc, method: "GET", size: 4, body: -1}
	right := "HTTP/1.1 200 OK\r\nX-Canary: abc\r\nContent-Length: 4\r\n\r\nabc\n"
	for text, want := range map[string]error{
		right: nil,
		strings.Replace(right, "X-Canary: abc", "X-Canary: abd", 1): errWrong,
		strings.Replace(right, "X-Canary: abc", "Other: abc", 1):    errWrong,
		strings.Replace(right, "\nabc\n", "\nabd\n", 1):             errWrong,
		strings.Replace(right, "4\r\n\r\nabc\n", "3\r\n\r\nabc", 1): errWrong,
		right[:len(right)-1]: io.ErrUnexpectedEOF,
		"":                   io.ErrUnexpectedEOF,
	} {
		if _, err := r.answer(bufio.NewReader(strings.NewReader(text)), http.StatusOK); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if err := over(bufio.NewReader(strings.NewReader(right))); !errors.Is(err, errWrong) {
		t.Errorf("an answer where none should be: %v", err)
	}
	if err := r.half(bufio.NewReader(strings.NewReader(right))); !errors.Is(err, errWrong) {
		t.Errorf("a whole answer where half of one should be: %v", err)
	}
	if err := r.half(bufio.NewReader(strings.NewReader(right[:len(right)-2]))); err != nil {
		t.Errorf("half an answer: %v", err)
	}
}

func TestRequestsAreWhatTheySay(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, chunked := range []bool{false, true} {
		r := request{canary: 5, method: "POST", path: "/echo/", size: 500, body: 500, chunked: chunked}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.bytes(rnd))))
		if err != nil {
			t.Fatal(err)
		}
		if n, ok, err := r.hear(req.Body); n != 500 || !ok || err != nil {
			t.Errorf("chunked %v: %d bytes, %v, %v", chunked, n, ok, err)
		}
		if !hasCanary(req.URL.RawQuery, "5") || hasCanary(req.URL.RawQuery, "00.5") || size(req) != 500 {
			t.Errorf("query %q", req.URL.RawQuery)
		}
	}
}

func TestGrowthIsToldFromNoise(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var flat, leaky, young samples
	for i := range 120 {
		noise := float64(rnd.IntN(4 << 20))
		flat = append(flat, 64<<20+noise)
		leaky = append(leaky, 64<<20+noise+float64(i)*(256<<10))
		young = append(young, 64<<20+noise+float64(min(i, 30))*(1<<20)) // until it has what it needs
	}
	if text, err := flat.verdict(); err != nil || !strings.HasSuffix(text, ": flat") {
		t.Errorf("flat: %s, %v", text, err)
	}
	if text, err := young.verdict(); err != nil {
		t.Errorf("grown in the first quarter: %s, %v", text, err)
	}
	if text, err := leaky.verdict(); !errors.Is(err, errBalance) {
		t.Errorf("leaky: %s, %v", text, err)
	}
	if text, err := leaky[:enough-1].verdict(); err != nil || !strings.Contains(text, "too few") {
		t.Errorf("few samples: %s, %v", text, err)
	}
}

func TestErrorsAreCountedByKind(t *testing.T) {
	var found tally
	found.answers(3, 1)
	found.act("get", nil)
	if err := found.close(io.Discard); err != nil {
		t.Errorf("nothing went wrong, but: %v", err)
	}
	found.act("get", errWrong)
	found.act("post", io.EOF)
	var text bytes.Buffer
	if err := found.close(&text); !errors.Is(err, errBalance) || !errors.Is(err, errWrong) {
		t.Errorf("closed with %v", err)
	}
	if want := "3 checked, 1 mismatches, 1 lost, 0 hung; 1 more"; !strings.Contains(text.String(), want) {
		t.Errorf("there is no %q in %q", want, text.String())
	}
}

func TestRecoveryIsTheEndOfWhatIsSlow(t *testing.T) {
	after := shots{{outcome: refused}, {outcome: served, latency: slow + 1, due: 100}, {outcome: served, due: 200_000}, {outcome: served, due: 300_000}}
	for n, want := range map[int]string{0: "not measured", 1: "not in 1s", 2: "not in 1s", 4: "200µs"} {
		if got := recovery(after[:n], 1e9); got != want {
			t.Errorf("the first %d: %s, want %s", n, got, want)
		}
	}
	if got := recovery(after[2:], 1e9); got != "at once" {
		t.Errorf("all served: %s", got)
	}
}

// Each figure of the closing balance, when it alone is off, is an error.
func TestTheBalanceNoticesEachFigure(t *testing.T) {
	defer func(d time.Duration) { settle = d }(settle)
	settle = 0
	base := state{Goroutines: 5, Descriptors: 10, Heap: 1 << 20}
	base.Accepted, base.Closed, base.Hijacked, base.Open = 10, 6, 3, 1
	for what, change := range map[string]func(*state){
		"":            func(*state) {},
		"connections": func(s *state) { s.Closed-- },
		"open":        func(s *state) { s.Open++; s.Closed-- },
		"handlers":    func(s *state) { s.Inside = 1 },
		"requests":    func(s *state) { s.Wrong = 1 },
		"goroutines":  func(s *state) { s.Goroutines++ },
		"standby":     func(s *state) { s.Standby = kept() + 1; s.Goroutines += s.Standby },
		"descriptors": func(s *state) { s.Descriptors++ },
		"heap":        func(s *state) { s.Heap += slackHeap + 1 },
	} {
		now := base
		change(&now)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(now) }))
		p := &process{addr: s.Listener.Addr().String(), client: s.Client()}
		var text bytes.Buffer
		err := p.close(t.Context(), base, 0, &text)
		s.Close()
		if (err == nil) != (what == "") || err != nil && !errors.Is(err, errBalance) || strings.Count(text.String(), "DOES NOT HOLD") != min(len(what), 1) {
			t.Errorf("%q: %v\n%s", what, err, text.String())
		}
	}
}
