package observe

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestBucketsAreContiguousAndNarrow(t *testing.T) {
	for i := 1; i < numBuckets; i++ {
		begin, end := bucketEnd(i-1), bucketEnd(i)
		if begin >= end || bucketOf(begin) != i || bucketOf(end-1) != i {
			t.Fatalf("bucket %d is from %d to %d, but these are in buckets %d and %d", i, begin, end, bucketOf(begin), bucketOf(end-1))
		}
		if width := end - begin; width > 1 && width > begin/subBuckets {
			t.Fatalf("bucket %d, from %d to %d, is wider than an eighth", i, begin, end)
		}
	}
	for _, d := range []time.Duration{maxDuration, maxDuration + 1, math.MaxInt64} {
		if bucketOf(d) != numBuckets-1 {
			t.Errorf("%d is in bucket %d, want the last one, %d", d, bucketOf(d), numBuckets-1)
		}
	}
	for _, d := range []time.Duration{0, -1, math.MinInt64} {
		if bucketOf(d) != 0 {
			t.Errorf("%d is in bucket %d, want 0", d, bucketOf(d))
		}
	}
}

func TestQuantilesAreExactToWithinASixteenth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := newHistogram(3)
	var all []time.Duration
	var sum time.Duration
	for range 10000 {
		d := time.Duration(math.Exp(rng.Float64() * math.Log(float64(time.Hour))))
		all = append(all, d)
		sum += d
		h.add(d, uintptr(rng.Uint32()))
	}
	slices.Sort(all)
	got := h.read()
	if got.Count != 10000 || got.Sum != sum || got.Mean() != sum/10000 {
		t.Errorf("%d durations, %v in all, %v on average; want 10000, %v, %v", got.Count, got.Sum, got.Mean(), sum, sum/10000)
	}
	for _, q := range []float64{-1, 0, 0.001, 0.5, 0.9, 0.99, 0.999, 1, 2} {
		want := all[max(int(math.Ceil(min(max(q, 0), 1)*10000)), 1)-1]
		if d := got.Quantile(q); math.Abs(float64(d-want)) > float64(want)/16+1 {
			t.Errorf("quantile %v is %v, want %v", q, d, want)
		}
	}
	if n := got.CountBelow(maxDuration); n != 10000 {
		t.Errorf("%d durations are below the maximum, want 10000", n)
	}
	var n, below uint64
	for d, c := range got.All() {
		if n += c; d <= time.Second {
			below = n
		}
	}
	if n != 10000 || below != got.CountBelow(time.Second) || below == 0 {
		t.Errorf("All has %d durations, and %d up to a second; want 10000, and %d", n, below, got.CountBelow(time.Second))
	}
}

func TestDistributionsAreAddedAndSubtracted(t *testing.T) {
	h := newHistogram(1)
	h.add(time.Second, 0)
	before := h.read()
	h.add(time.Millisecond, 0)
	after := h.read()
	if d := after.Minus(before); d.Count != 1 || d.Sum != time.Millisecond || d.Quantile(1) > 2*time.Millisecond {
		t.Errorf("got %d, %v, %v", d.Count, d.Sum, d.Quantile(1))
	}
	if d := after.Plus(before); d.Count != 3 || d.Sum != 2*time.Second+time.Millisecond {
		t.Errorf("got %d, %v", d.Count, d.Sum)
	}
	var zero Distribution
	if d := zero.Plus(after).Minus(zero); d.Count != 2 || zero.Quantile(0.5) != 0 || zero.Mean() != 0 {
		t.Errorf("got %d, %v, %v", d.Count, zero.Quantile(0.5), zero.Mean())
	}
}

func TestSeriesAreBounded(t *testing.T) {
	rec := NewRecorder()
	for i := range MaxSeries + 100 {
		rec.RequestEnd(&Request{Method: "GET", Route: fmt.Sprint(i), Status: 200})
	}
	for i := range 100 {
		rec.RequestEnd(&Request{Method: fmt.Sprint("M", i), Route: "0", Status: 200})
	}
	all := rec.Routes()
	others, sum := uint64(0), uint64(0)
	for _, r := range all {
		if sum += r.Duration.Count; r.Route == OtherRoutes {
			others += r.Duration.Count
		}
	}
	if len(all) != MaxSeries+1 || others != 200 || sum != MaxSeries+200 {
		t.Errorf("%d series, %d requests on other routes, %d in all; want %d, 200, %d", len(all), others, sum, MaxSeries+1, MaxSeries+200)
	}
}

func TestRequestsInFlight(t *testing.T) {
	rec, other := NewRecorder(), NewRecorder()
	o := Observers(nil, rec, other)
	requests := make([]*Request, 5)
	for i := range requests {
		requests[i] = &Request{Method: "GET", Path: fmt.Sprint("/", i), Start: time.Duration(10 - i)}
		o.RequestStart(requests[i])
	}
	paths := func() (p []string) {
		longest, total := rec.Active(3)
		for _, r := range longest {
			p = append(p, r.Path)
		}
		return append(p, fmt.Sprint(total))
	}
	if got := fmt.Sprint(paths()); got != "[/4 /3 /2 5]" {
		t.Errorf("got %s", got)
	}
	for _, i := range []int{3, 0, 4} {
		o.RequestEnd(requests[i])
	}
	if got := fmt.Sprint(paths()); got != "[/2 /1 2]" {
		t.Errorf("got %s", got)
	}
	if _, n := other.Active(0); n != 0 {
		t.Errorf("the second Recorder has %d requests in flight", n)
	}
}

func TestRecorderMayBeUsedConcurrently(t *testing.T) {
	rec := NewRecorder()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 500 {
				r := &Request{Method: "GET", Route: fmt.Sprint(k % 7), Status: 200 + 100*(i%3), Queued: 1, FirstByte: 1, Duration: 2}
				rec.RequestStart(r)
				if k%50 == 0 {
					rec.Routes()
					rec.Active(3)
				}
				rec.RequestEnd(r)
			}
		})
	}
	wg.Wait()
	var n uint64
	for _, r := range rec.Routes() {
		n += r.Duration.Count
	}
	if _, active := rec.Active(0); n != 4000 || rec.Queued().Count != 4000 || rec.Ended()[Completed] != 4000 || active != 0 {
		t.Errorf("%d requests, %d queued, %v, %d in flight", n, rec.Queued().Count, rec.Ended(), active)
	}
}

func TestConnectionsAreCountedByReason(t *testing.T) {
	rec := NewRecorder()
	for _, e := range []ConnEvent{{Kind: Refused, Reason: MaxQueue}, {Kind: Refused, Reason: MaxQueue}, {Kind: Evicted, Reason: MaxConns}, {Kind: Accepted}, {Kind: Refused, Reason: "new"}} {
		rec.Conn(e)
	}
	if rec.Refused()[MaxQueue] != 2 || rec.Refused()[MaxConns] != 0 || rec.Evicted()[MaxConns] != 1 {
		t.Errorf("refused %v, evicted %v", rec.Refused(), rec.Evicted())
	}
}

func TestHandlerObservesNetHTTP(t *testing.T) {
	rec := NewRecorder()
	mux := http.NewServeMux()
	mux.HandleFunc("/a/{b}", func(w http.ResponseWriter, r *http.Request) {
		if !Observed(r.Context()) {
			t.Error("the request is not observed")
		}
		fmt.Fprint(w, "answer")
	})
	h := Handler(rec, Handler(rec, mux)) // the inner one does nothing
	srv := httptest.NewServer(h)
	defer srv.Close()
	res, err := http.Get(srv.URL + "/a/x")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	srv.Close()
	all := rec.Routes()
	if len(all) != 1 || all[0].Route != "/a/{b}" || all[0].Class != 2 || all[0].Duration.Count != 1 || all[0].FirstByte.Count != 1 {
		t.Errorf("got %+v", all)
	}
}

func TestRecorderIsFound(t *testing.T) {
	rec, second := NewRecorder(), NewRecorder()
	var other struct{ Observer }
	for _, c := range []struct {
		o    Observer
		want *Recorder
	}{
		{nil, nil}, {rec, rec}, {other, nil}, {Observers(other, other), nil}, {Observers(other, rec, second), rec},
		{Observers(other, Observers(other, second), rec), second},
	} {
		if got := RecorderIn(c.o); got != c.want {
			t.Errorf("RecorderIn(%v) = %p, want %p", c.o, got, c.want)
		}
	}
}

func TestPatternsAreSeenBehindACopyOfTheRequest(t *testing.T) {
	rec := NewRecorder()
	mux := http.NewServeMux()
	mux.HandleFunc("/a/{b}", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	inner := Patterns(mux)
	h := Handler(rec, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(r.Context()))
	}))
	func() {
		defer func() { recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/a/x", nil))
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if all := rec.Routes(); len(all) != 2 || all[0].Route != "" || all[1].Route != "/a/{b}" {
		t.Errorf("got %+v", all)
	}
}

func TestRecorderAllocatesNothing(t *testing.T) {
	rec := NewRecorder()
	r := new(Request)
	n := testing.AllocsPerRun(100, func() {
		*r = Request{Method: "GET", Path: "/", Status: 200, Route: "/", Queued: 1, FirstByte: 1, Duration: 2}
		rec.RequestStart(r)
		rec.RequestEnd(r)
	})
	if n != 0 {
		t.Errorf("a request allocates %v times", n)
	}
}

func TestObserversAllocateNothing(t *testing.T) {
	o := Observers(NewRecorder(), NewRecorder())
	r := new(Request)
	n := testing.AllocsPerRun(100, func() {
		*r = Request{Method: "GET", Path: "/", Status: 200, Route: "/", FirstByte: 1, Duration: 2}
		o.RequestStart(r)
		o.RequestEnd(r)
	})
	if n != 0 {
		t.Errorf("a request allocates %v times", n)
	}
}
