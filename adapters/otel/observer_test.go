package recyclingotel

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/recycling-go/recycling/core/observe"
)

// A request allocates nothing once its attributes are known.
func TestObserverAllocatesNothing(t *testing.T) {
	c := newCollector(t)
	o, err := newObserver(c.mp.Meter(scope), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &observe.Request{Method: "GET", Route: "GET /a/{b}", Status: 200, ProtoMajor: 1, ProtoMinor: 1, Written: 5, Queued: 1, FirstByte: 1, Duration: 2}
	n := testing.AllocsPerRun(1000, func() {
		o.RequestStart(r)
		o.RequestEnd(r)
	})
	if n != 0 {
		t.Errorf("a request allocates %v times", n)
	}
}

func TestAttributeSetsAreBounded(t *testing.T) {
	c := newCollector(t)
	o, err := newObserver(c.mp.Meter(scope), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range observe.MaxSeries + 50 {
		o.RequestEnd(&observe.Request{Method: "GET", Route: fmt.Sprint("/", i), Status: 200 + i%2, Duration: 1, ProtoMajor: 1, ProtoMinor: 1})
	}
	if n := len(o.sets.read()); n != observe.MaxSeries+2 {
		t.Errorf("there are %d sets, want %d", n, observe.MaxSeries+2)
	}
	if got := o.options(&observe.Request{Method: "GET", Route: "/new", Status: 200, ProtoMajor: 1, ProtoMinor: 1}); len(got) != 1 {
		t.Errorf("there are %d options", len(got))
	}
}

func TestObserverMayBeUsedConcurrently(t *testing.T) {
	c := newCollector(t)
	o, err := newObserver(c.mp.Meter(scope), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 200 {
				r := &observe.Request{Method: "GET", Route: fmt.Sprint("/", k%9), Status: 200 + 100*(i%3), Duration: 1, ProtoMajor: 2, ContentLength: -1}
				o.RequestStart(r)
				if k%50 == 0 {
					c.points(nameDuration)
				}
				o.RequestEnd(r)
				o.Conn(observe.ConnEvent{Kind: observe.Evicted, Reason: observe.MaxConns})
				o.Conn(observe.ConnEvent{Kind: observe.Accepted})
			}
		})
	}
	wg.Wait()
	if p := c.points(nameDuration); len(p) != 27 {
		t.Errorf("there are %d combinations of attributes, want 27", len(p))
	}
	c.expect(nameActive, map[string]string{"http.request.method=GET,url.scheme=http": "0"})
	c.expect(nameEvicted, map[string]string{"recycling.reason=MaxConns": "1600"})
	c.expect(nameRequestBody, nil)
}

func TestKnownMethodsCanBeReplaced(t *testing.T) {
	t.Setenv(envMethods, "GET, BREW,,")
	o, err := newObserver(noop.NewMeterProvider().Meter(""), nil)
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]string{"GET": "GET", "BREW": "BREW", "POST": otherMethod, "": otherMethod, "get": otherMethod} {
		if got := o.method(&observe.Request{Method: method}); got != want {
			t.Errorf("%q is %s, want %s", method, got, want)
		}
	}
}

func TestRoutesAreWithoutMethodAndHost(t *testing.T) {
	for pattern, want := range map[string]string{"": "", "/a": "/a", "GET /a/{b}": "/a/{b}", "example.org/": "/", "GET example.org/x": "/x", "the route": "the route"} {
		if got := route(pattern); got != want {
			t.Errorf("%q is %q, want %q", pattern, got, want)
		}
	}
	if got := []string{protocolVersion(1, 0), protocolVersion(1, 1), protocolVersion(2, 0)}; !slices.Equal(got, []string{"1.0", "1.1", "2"}) {
		t.Errorf("versions are %v", got)
	}
}
