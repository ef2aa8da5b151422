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

// An iotest reads at most three bytes at a time.
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
		// The server grows until it has what it needs.
		young = append(young, 64<<20+noise+float64(min(i, 30))*(1<<20))
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
	r := newReport(io.Discard, "")
	if found.close(r); r.Err() != nil {
		t.Errorf("nothing went wrong, but: %v", r.Err())
	}
	found.act("get", errWrong)
	found.act("post", io.EOF)
	var text bytes.Buffer
	r = newReport(&text, "")
	if found.close(r); !errors.Is(r.Err(), errBalance) || !errors.Is(r.Err(), errWrong) {
		t.Errorf("closed with %v", r.Err())
	}
	if want := "3 checked, 1 mismatches, 1 lost, 0 hung; 1 more"; !strings.Contains(text.String(), want) {
		t.Errorf("there is no %q in %q", want, text.String())
	}
}

func TestRecoveryIsTheEndOfWhatIsSlow(t *testing.T) {
	after := shots{{outcome: refused}, {outcome: served, latency: slow + 1, due: 100}, {outcome: served, due: 200_000}, {outcome: served, due: 300_000}}
	for n, want := range map[int]time.Duration{0: never, 1: never, 2: never, 4: 200_000} {
		if got := recovery(after[:n]); got != want {
			t.Errorf("the first %d: %v, want %v", n, got, want)
		}
	}
	if got := recovery(after[2:]); got != 0 {
		t.Errorf("all served: %v", got)
	}
}

// If Overload misses only one target, the error names it. A figure at its limit meets the target.
func TestOverloadNoticesEachMissedTarget(t *testing.T) {
	good := func() findings {
		f := findings{capacity: 100, duration: time.Second, recovery: targetRecovery, quiet: 1 << 20, memory: samples{1 << 20, 1<<20 + targetMemory, 2 << 20}}
		for range 85 {
			f.over = append(f.over, shot{outcome: served, latency: time.Hour})
		}
		for range 100 {
			f.over = append(f.over, shot{outcome: refused, latency: targetRefusal})
		}
		return f
	}
	verdict := func(f findings) error {
		r := newReport(io.Discard, "")
		f.verdict(r)
		return r.Err()
	}
	for named, change := range map[string]func(*findings){
		"":                func(*findings) {},
		"goodput is 0.84": func(f *findings) { f.over = f.over[1:] },
		"refusals is 50.01ms": func(f *findings) {
			f.over[85].latency, f.over[86].latency = time.Second, targetRefusal+10*time.Microsecond
		},
		"recovery took 2.01s":               func(f *findings) { f.recovery = 2010 * time.Millisecond },
		"recovery took longer than was":     func(f *findings) { f.recovery = never },
		"memory grew by 65.0 MiB, want 64 ": func(f *findings) { f.memory[1] += 1 << 20 },
	} {
		f := good()
		change(&f)
		err := verdict(f)
		if named == "" {
			if err != nil {
				t.Errorf("at the limits: %v", err)
			}
			continue
		}
		if !errors.Is(err, errTarget) || !strings.Contains(err.Error(), named) || strings.Contains(err.Error(), ";") {
			t.Errorf("%v, want errTarget with %q alone", err, named)
		}
	}
	f := good()
	f.quiet, f.memory, f.over = 0, nil, f.over[:85]
	if err := verdict(f); err != nil {
		t.Errorf("no refusals, and memory not known: %v", err)
	}
	f.recovery, f.over = never, nil
	if err := verdict(f); err == nil || !strings.Contains(err.Error(), "goodput is 0.00") || !strings.Contains(err.Error(), "recovery") {
		t.Errorf("two targets are missed: %v", err)
	}
}

// A single wrong figure of the closing balance is an error.
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
		r := newReport(&text, "")
		p.close(t.Context(), base, 0, r)
		s.Close()
		err := r.Err()
		if (err == nil) != (what == "") || err != nil && !errors.Is(err, errBalance) || strings.Count(text.String(), "DOES NOT HOLD") != min(len(what), 1) {
			t.Errorf("%q: %v\n%s", what, err, text.String())
		}
	}
}
