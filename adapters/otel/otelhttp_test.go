package recyclingotel

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// TestTracesOfOtelHTTP serves a router inside otelhttp.
func TestTracesOfOtelHTTP(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for _, version := range []string{"1", "2"} {
			t.Run("HTTP/"+version, func(t *testing.T) {
				mux := http.NewServeMux()
				mux.HandleFunc("GET /stream/{n}", func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprintln(w, trace.SpanContextFromContext(r.Context()).TraceID())
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error("Flush:", err)
					}
					<-r.Context().Done() // the client has read the line
				})
				mux.HandleFunc("GET /file", func(w http.ResponseWriter, _ *http.Request) {
					io.Copy(w, strings.NewReader(strings.Repeat("x", 1<<16)))
				})
				mux.HandleFunc("GET /hijack", func(w http.ResponseWriter, _ *http.Request) {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						http.Error(w, err.Error(), http.StatusNotImplemented)
						return
					}
					defer conn.Close()
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\ntaken")
				})
				spans := tracetest.NewSpanRecorder()
				tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
				traced := otelhttp.NewHandler(observe.Patterns(mux), "server", otelhttp.WithTracerProvider(tp),
					otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithMeterProvider(noop.NewMeterProvider()))

				c := newCollector(t)
				protocols := new(http.Protocols)
				protocols.SetHTTP1(version == "1")
				protocols.SetUnencryptedHTTP2(version == "2")
				srv := recycling.New(traced, MustRegister(c.mp), func(s *recycling.Server) {
					s.Strategy = strategy
					s.HTTP.Protocols = new(http.Protocols)
					s.HTTP.Protocols.SetHTTP1(true)
					s.HTTP.Protocols.SetUnencryptedHTTP2(true)
				})
				url := "http://" + serve(t, srv)
				tr := &http.Transport{Protocols: protocols}
				defer tr.CloseIdleConnections()
				client := &http.Client{Transport: tr, Timeout: patience}
				request := func(path string) *http.Response {
					t.Helper()
					req, err := http.NewRequest("GET", url+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("traceparent", "00-"+id+"-b7ad6b7169203331-01")
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { resp.Body.Close() })
					return resp
				}
				resp := request("/stream/1")
				if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != id+"\n" {
					t.Errorf("the handler's trace is %q (%v), want %s", line, err, id)
				}
				resp.Body.Close()
				if b, err := io.ReadAll(request("/file").Body); len(b) != 1<<16 {
					t.Errorf("the file has %d bytes (%v)", len(b), err)
				}
				if b, err := io.ReadAll(request("/hijack").Body); version == "1" && string(b) != "taken" {
					t.Errorf("after Hijack the response is %q (%v)", b, err)
				}
				await(t, "the spans", func() bool { return len(spans.Ended()) == 3 })
				for _, s := range spans.Ended() {
					if s.SpanContext().TraceID().String() != id || s.Parent().SpanID().String() != "b7ad6b7169203331" {
						t.Errorf("the trace is %v, its parent %v", s.SpanContext().TraceID(), s.Parent().SpanID())
					}
				}
				await(t, "the metrics", func() bool {
					routes := 0
					for attrs := range c.points(nameDuration) {
						for _, route := range []string{"/stream/{n}", "/file", "/hijack"} {
							if strings.Contains(attrs, "http.route="+route+",") {
								routes++
							}
						}
					}
					return routes == 3
				})
			})
		}
	})
}
