package recyclingprometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// A database is a Prometheus that scrapes one application.
type database struct {
	t   *testing.T
	url string
	c   *http.Client
}

// startPrometheus starts a Prometheus, and skips the test if there is none.
func startPrometheus(t *testing.T, target string, flags ...string) *database {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is missing: Debian's package prometheus has it")
	}
	rules, err := filepath.Abs("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`
global: { scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }
rule_files: [%q]
scrape_configs:
  - job_name: app
    static_configs: [{ targets: [%q] }]
`, rules, strings.TrimPrefix(target, "http://"))
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := recyclingtest.FreeAddr(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(path, append([]string{"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr}, flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s", text)
		}
	})
	d := &database{t: t, url: "http://" + addr, c: newClient(t)}
	await(t, "Prometheus to serve", func() bool {
		resp, err := d.c.Get(d.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return d
}

// api requests a path of the HTTP API, and stores its data in v.
func (d *database) api(path string, v any) {
	d.t.Helper()
	body := get(d.t, d.c, d.url+"/api/v1/"+path)
	result := struct {
		Status, Error string
		Data          any
	}{Data: v}
	if err := json.Unmarshal([]byte(body), &result); err != nil || result.Status != "success" {
		d.t.Fatalf("%s: %v: %s", path, err, body)
	}
}

// query returns the first value of an expression, and how many it has.
func (d *database) query(expr string) (v float64, n int) {
	d.t.Helper()
	var data struct {
		Result []struct{ Value [2]any }
	}
	d.api("query?query="+url.QueryEscape(expr), &data)
	if len(data.Result) == 0 {
		return 0, 0
	}
	v, err := strconv.ParseFloat(data.Result[0].Value[1].(string), 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return v, len(data.Result)
}

// application starts a server with /metrics beside the routes of newMux, and requests some of them.
// It also has the metrics of a task.
func application(t *testing.T, c Config, strategy recycling.Strategy) (url string) {
	reg := prometheus.NewPedanticRegistry()
	mux := newMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	url = serve(t, recycling.New(mux, c.MustRegister(reg), func(s *recycling.Server) { s.Strategy = strategy }))
	rec := observe.NewTaskRecorder()
	if err := c.RegisterTasks(reg, rec); err != nil {
		t.Fatal(err)
	}
	rec.AddPlace("local", func() observe.PlaceStats { return observe.PlaceStats{Idle: 2} })
	rec.AddBacklog("nats", func(context.Context) ([]observe.Backlog, error) { return []observe.Backlog{{Task: "shrink"}}, nil })
	rec.TaskEnd(observe.TaskCall{Task: "shrink", Place: "local", Queued: time.Millisecond, Running: time.Second})
	client := newClient(t)
	for range 7 {
		get(t, client, url+"/hello/you")
	}
	get(t, client, url+"/fail")
	return url
}

func TestPrometheusScrapesAServer(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		if testing.Short() && strategy != recycling.Recycling {
			t.Skip("takes long")
		}
		target := application(t, Config{}, strategy)
		d := startPrometheus(t, target)
		await(t, "a scrape", func() bool {
			v, _ := d.query(`recycling_request_duration_seconds_count{route="/hello/{name}",status="2xx"}`)
			return v == 7
		})
		client := newClient(t)
		for range 4 {
			get(t, client, target+"/hello/again")
		}
		await(t, "the rate of requests", func() bool {
			v, _ := d.query(`sum(increase(recycling_request_duration_seconds_count{route="/hello/{name}"}[1m]))`)
			return v > 0
		})
		const p99 = `histogram_quantile(0.99, sum by (le) (recycling_request_duration_seconds_bucket{route="/hello/{name}"}))`
		if v, n := d.query(p99); n != 1 || math.IsNaN(v) || v <= 0 || v > patience.Seconds() {
			t.Errorf("the p99 is %v", v)
		}
		if v, n := d.query(`recycling_build_info{strategy="` + string(strategy) + `"}`); v != 1 || n != 1 {
			t.Errorf("there are %d build_info", n)
		}
		if _, n := d.query(`recycling_connections_refused_total`); n != 5 {
			t.Errorf("there are %d reasons for refusing, want 5", n)
		}
		d.checkDashboard(strategy)
		d.checkRules()
	})
}

// checkDashboard evaluates all queries of the dashboard.
func (d *database) checkDashboard(strategy recycling.Strategy) {
	for _, row := range dashboard {
		for _, p := range row.panels {
			for _, q := range p.queries {
				expr := strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "1m").Replace(grafana(q.expr))
				_, n := d.query(expr)
				if n == 0 && !strings.Contains(expr, "_queue_seconds_bucket") {
					d.t.Errorf("%s: no value of %s", p.title, expr)
				}
			}
		}
	}
}

// checkRules waits until all alerting rules were evaluated.
func (d *database) checkRules() {
	d.t.Helper()
	await(d.t, "all rules to be evaluated", func() bool {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, State, Health, LastError string }
			}
		}
		d.api("rules", &data)
		n := 0
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				if r.LastError != "" {
					d.t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				if r.Health == "ok" {
					n++
				}
				if r.State == "firing" {
					d.t.Errorf("%s fires", r.Name)
				}
			}
		}
		return n == 13
	})
}

// TestPrometheusScrapesNativeHistograms needs a Prometheus of version 2.40 or newer.
func TestPrometheusScrapesNativeHistograms(t *testing.T) {
	target := application(t, Config{NativeHistograms: true}, recycling.Recycling)
	d := startPrometheus(t, target, "--enable-feature=native-histograms")
	const of = `(recycling_request_duration_seconds{route="/hello/{name}",status="2xx"})`
	await(t, "a scrape", func() bool {
		v, _ := d.query(`histogram_count` + of)
		return v == 7
	})
	if v, n := d.query(`histogram_quantile(0.99, ` + of[1:]); n != 1 || math.IsNaN(v) || v <= 0 || v > patience.Seconds() {
		t.Errorf("the p99 is %v", v)
	}
	// With /metrics scraped as text, there are classic buckets too.
	if text := get(t, newClient(t), target+"/metrics"); !strings.Contains(text, `recycling_request_duration_seconds_bucket{method="GET",route="/hello/{name}",status="2xx",le="0.0002"}`) {
		t.Errorf("there are no classic buckets:\n%s", text)
	}
}

func TestNativeBucketsAreThoseOfTheTimes(t *testing.T) {
	for d := 20 * time.Nanosecond; d < time.Hour; d += d/50 + 1 {
		i := nativeBucket(d)
		begin, end := math.Exp2(float64(i-1)/8), math.Exp2(float64(i)/8)
		if s := d.Seconds(); s < begin || s*(1-0.125) > end {
			t.Fatalf("%v is in the bucket from %v to %v", d, begin, end)
		}
	}
}
