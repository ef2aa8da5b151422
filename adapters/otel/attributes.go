package recyclingotel

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/recycling-go/recycling/core/observe"
)

// otherMethod stands for methods that are not known, because clients may use any number of them.
const otherMethod = "_OTHER"

// envMethods is the variable with which the semantic conventions replace the list of known methods.
const envMethods = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"

func knownMethods() map[string]bool {
	list := os.Getenv(envMethods)
	if list == "" {
		list = "CONNECT,DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT,QUERY,TRACE"
	}
	known := make(map[string]bool)
	for m := range strings.SplitSeq(list, ",") {
		if m = strings.TrimSpace(m); m != "" {
			known[m] = true
		}
	}
	return known
}

func (o *observer) method(r *observe.Request) string {
	if o.methods[r.Method] {
		return r.Method
	}
	return otherMethod
}

func scheme(tls bool) string {
	if tls {
		return "https"
	}
	return "http"
}

// route returns the path of a pattern, because http.route has neither method nor host. A pattern
// without a slash is left as it is.
func route(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i > 0 {
		return pattern[i:]
	}
	return pattern
}

// protocolVersion returns the value of network.protocol.version, such as 1.1 or 2.
func protocolVersion(major, minor int) string {
	if major >= 2 {
		return strconv.Itoa(major)
	}
	return strconv.Itoa(major) + "." + strconv.Itoa(minor)
}

// A requestKey is what the attributes of a request are made from.
type requestKey struct {
	method, route string
	status        int
	major, minor  int
	tls, aborted  bool
}

// options returns the attributes of r, as options. They are those of the semantic conventions for
// HTTP server metrics: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
func (o *observer) options(r *observe.Request) []metric.RecordOption {
	k := requestKey{o.method(r), r.Route, r.Status, r.ProtoMajor, r.ProtoMinor, r.TLS, r.Outcome == observe.Aborted}
	if options, ok := o.sets.get(k); ok {
		return options
	}
	// Beyond the limit, all routes and methods have the same options.
	other := k
	other.method, other.route = otherMethod, observe.OtherRoutes
	return o.sets.add(k, other, observe.MaxSeries, o.makeOptions)
}

func (o *observer) makeOptions(k requestKey) []metric.RecordOption {
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", k.method),
		attribute.String("url.scheme", scheme(k.tls)),
		attribute.String("network.protocol.version", protocolVersion(k.major, k.minor)),
	}
	if k.status > 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", k.status))
	}
	if k.route != "" {
		attrs = append(attrs, attribute.String("http.route", valid(route(k.route))))
	}
	switch {
	case k.status >= 500:
		attrs = append(attrs, attribute.String("error.type", strconv.Itoa(k.status)))
	case k.aborted:
		attrs = append(attrs, attribute.String("error.type", "aborted"))
	}
	return []metric.RecordOption{o.set(attrs...)}
}

// valid returns text as it can be the value of an attribute.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// setOf returns an option with the attributes of a Config and others.
func setOf(attrs []attribute.KeyValue, others ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(slices.Concat(attrs, others)...))
}

// A cache keeps the options for each combination of attributes, so that using them again allocates
// nothing. The zero value is empty. It may be used concurrently.
type cache[K comparable, V any] struct {
	all    atomic.Pointer[map[K]V] // copied for each new key; nil if there are none
	adding sync.Mutex              // held while a key is added
}

func (c *cache[K, V]) read() map[K]V {
	if all := c.all.Load(); all != nil {
		return *all
	}
	return nil
}

func (c *cache[K, V]) get(k K) (options V, ok bool) {
	options, ok = c.read()[k]
	return options, ok
}

// add returns the options for k, and makes them if necessary. If there are already as many keys as
// most, it uses the key other instead.
func (c *cache[K, V]) add(k, other K, most int, with func(K) V) V {
	c.adding.Lock()
	defer c.adding.Unlock()
	all := c.read()
	if _, ok := all[k]; !ok && len(all) >= most {
		k = other
	}
	if options, ok := all[k]; ok {
		return options
	}
	options := with(k)
	all = maps.Clone(all)
	if all == nil {
		all = map[K]V{}
	}
	all[k] = options
	c.all.Store(&all)
	return options
}
