package connections

import (
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// wantTable runs f, and checks that its table has these situations, each with these servers, and
// that all figures were measured in each round.
func wantTable(t *testing.T, f scenarioFunc, c Config, want []string, more ...string) *record.Table {
	t.Helper()
	c.Rounds = 2
	got := run(t, f, c)
	if k := keys(got); !slices.Equal(k, want) {
		t.Errorf("rows are\n%s\nwant\n%s", strings.Join(k, "\n"), strings.Join(want, "\n"))
	}
	columns := append([]string{"rate", "p50", "p99", "max", "errors"}, more...)
	if knowsUsage(t) {
		columns = append(columns, "CPU")
	}
	complete(t, got, 2, columns...)
	if got.Note == "" || got.Title == "" || len(got.Charts) == 0 || got.Baseline != "net/http" {
		t.Errorf("the table is %+v", got)
	}
	return got
}

// beside returns the keys of the rows of each situation.
func beside(situations []string, servers ...string) (all []string) {
	for _, s := range situations {
		for _, server := range servers {
			all = append(all, s+" "+server)
		}
	}
	return all
}

func TestLoads(t *testing.T) {
	wantTable(t, Loads, tiny(), beside([]string{"1", "9"}, "net/http", "recycling", "fasthttp"))
}

func TestAlternating(t *testing.T) {
	wantTable(t, Alternating, tiny(), beside([]string{"1, 3 and 20 in turn"}, "net/http", "recycling", "fasthttp"),
		"p99 at 1", "p99 at 3", "p99 at 20")
}

func TestBodies(t *testing.T) {
	c := tiny()
	c.Main = append(c.Main, "gnet") // which has no bodies
	wantTable(t, Bodies, c, beside([]string{"response of 100 kB", "upload of 64 KiB"}, "net/http", "recycling", "fasthttp"))
}

func TestTLS(t *testing.T) {
	c := tiny()
	c.Main = append(c.Main, "hertz") // which serves no TLS here
	want := beside([]string{"new connection", "keep-alive"}, "net/http", "recycling", "fasthttp")
	got := wantTable(t, TLS, c, append(want, beside([]string{"HTTP/2, 2 connections"}, "net/http", "recycling")...))
	for _, key := range []string{"new connection", "keep-alive", "HTTP/2, 2 connections"} {
		if !slices.ContainsFunc(got.Terms, func(term record.Term) bool { return term.Name == key }) {
			t.Errorf("%s is not explained by %v", key, got.Terms)
		}
	}
}
