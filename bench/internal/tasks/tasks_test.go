package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/places"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain makes the test binary a server when it is started as one. Otherwise it fails if a
// goroutine of a measurement is left after all tests.
func TestMain(m *testing.M) {
	places.Main(Register)
	if len(os.Args) > 1 && os.Args[1] == ServerArg {
		if err := ServerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(leak.Main(m, "internal/tasks.", "trial/harness.", "core/offload.", "alitto/pond", "net/http.(*persistConn)", "os/exec."))
}

func sum(values []float64) (n float64) {
	for _, v := range values {
		n += v
	}
	return n
}

func TestEveryRequestIsCounted(t *testing.T) {
	// Two runs at once, because one scenario takes as long as all the others. Their speed does not
	// matter.
	var slow, quick []string
	for _, name := range Scenarios() {
		if name == "io_bound_500ms" {
			slow = append(slow, name)
		} else {
			quick = append(quick, name)
		}
	}
	names := [][]string{slow, quick}
	runs := []*record.Run{record.New(nil), record.New(nil)}
	var all sync.WaitGroup
	for i, r := range runs {
		all.Go(func() {
			c := Config{Rounds: 1, Duration: 10 * ms, Workers: 2, Scenarios: names[i]}
			if err := Run(t.Context(), c, nil, r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, r := range runs {
		if len(r.Tables) != 1 || len(r.Tables[0].Rows) != len(names[i])*len(taskServers) {
			t.Fatalf("%q: there are %d tables, or not a row for each scenario and server", names[i], len(r.Tables))
		}
		for _, row := range r.Tables[0].Rows {
			if row.Failed != "" || len(row.Detail) != 1 {
				t.Errorf("%q: failed %q, %d details", row.Key, row.Failed, len(row.Detail))
				continue
			}
			d := row.Detail[0].(*Detail)
			shed := sum(row.Samples["shed"])
			if d.Total == 0 || d.Successful == 0 || float64(d.Total) != float64(d.Successful+d.Failed)+shed {
				t.Errorf("%q: %d requests, of these %d successful, %d failed, %v shed", row.Key, d.Total, d.Successful, d.Failed, shed)
			}
			if d.Scenario != row.Key[0] || d.Config.Server != row.Key[1] {
				t.Errorf("%q has the detail %+v", row.Key, d)
			}
			for _, c := range []string{"req/s", "of ideal", "p50", "p95", "p99", "max", "failed"} {
				if len(row.Samples[c]) != 1 {
					t.Errorf("%q has %d samples of %s, want one", row.Key, len(row.Samples[c]), c)
				}
			}
		}
	}
}

// The names of the fields are those of gunicorn's results.
func TestDetailHasTheFieldsOfGunicorn(t *testing.T) {
	r := newResult()
	r.add(time.Millisecond, nil)
	r.add(2*time.Millisecond, nil)
	r.add(time.Millisecond, errors.New("no"))
	r.elapsed = 2 * time.Second
	b, err := json.Marshal(r.detail())
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("config duration_sec errors failed latency_ms requests_per_sec scenario successful timestamp total_requests")
	if got := slices.Sorted(maps.Keys(d)); !reflect.DeepEqual(got, want) {
		t.Errorf("fields are %q, want %q", got, want)
	}
	latency := d["latency_ms"].(map[string]any)
	want = strings.Fields("max mean min p50 p95 p99 stddev")
	if got := slices.Sorted(maps.Keys(latency)); !reflect.DeepEqual(got, want) {
		t.Errorf("fields of latency_ms are %q, want %q", got, want)
	}
	if d["requests_per_sec"] != 1.0 || d["total_requests"] != 3.0 || d["failed"] != 1.0 || latency["mean"] != 1.5 || latency["stddev"] != 0.5 {
		t.Errorf("detail is %s", b)
	}
}

// A writerFunc is the writer of a Progress.
type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestContextEndsARunAndKeepsWhatWasMeasured(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	second := roundRobin
	p := record.NewProgress(writerFunc(func(p []byte) {
		if strings.Contains(string(p), second) {
			time.AfterFunc(20*time.Millisecond, cancel)
		}
	}))
	r := record.New(nil)
	c := Config{Rounds: 1, Duration: 20 * ms, Light: time.Hour, Workers: 1, Scenarios: []string{"io_bound_500ms"}}
	if err := Run(ctx, c, p, r); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	rows := r.Tables[0].Rows
	if len(rows) != 1 || rows[0].Key[1] != taskServers[0] || rows[0].Failed != "" || len(rows[0].Samples["req/s"]) != 1 {
		t.Errorf("there are %d rows, want that of the first server", len(rows))
	}
	if n := len(r.Tables[1].Rows); n != 0 {
		t.Errorf("the light route has %d rows, want none", n)
	}
}

func TestLightRoute(t *testing.T) {
	r := record.New(nil)
	if err := Run(t.Context(), Config{Rounds: 1, Light: 20 * ms, Workers: 1, Scenarios: []string{}}, nil, r); err != nil {
		t.Fatal(err)
	}
	if len(r.Tables) != 1 || r.Tables[0].Name != "light_tasks" || len(r.Tables[0].Rows) != 12 {
		t.Fatalf("run has %d tables, or not 12 rows of the light route", len(r.Tables))
	}
	for _, row := range r.Tables[0].Rows {
		if n := sum(row.Samples["requests"]); n != 20 || row.Failed != "" {
			t.Errorf("%q: %v requests, want 20; failed: %q", row.Key, n, row.Failed)
		}
		if busy := row.Key[0] != "idle"; len(row.Samples["of idle"]) == 1 != busy || len(row.Samples["tasks/s"]) == 1 != busy {
			t.Errorf("%q: samples are %v", row.Key, row.Samples)
		}
	}
}

func TestWrongConfig(t *testing.T) {
	for _, c := range []Config{
		{Workers: 1},
		{Rounds: 1},
		{Rounds: 1, Workers: 1, Scenarios: []string{"baseline"}},
	} {
		r := record.New(nil)
		if err := Run(t.Context(), c, nil, r); err == nil || len(r.Tables) != 0 {
			t.Errorf("%+v: error is %v, and there are %d tables", c, err, len(r.Tables))
		}
	}
}

func TestServerThatDoesNotStartIsAnError(t *testing.T) {
	if p, err := start(t.Context(), childConfig{Server: shared, Workers: -1}); err == nil {
		p.Stop()
		t.Error("a server with -1 workers has started")
	}
}

func TestServerEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := start(ctx, childConfig{Server: shared})
	if err != nil {
		t.Fatal(err)
	}
	if err := get(ctx, http.DefaultClient, "http://"+p.Addr()+"/yo"); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	<-p.Done()
	if p.Err() == nil {
		t.Error("the server has ended by itself")
	}
}
