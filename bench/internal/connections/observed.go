package connections

import (
	"context"
	"fmt"
	"strconv"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// observedConns are the numbers of connections for Observed.
var observedConns = []int{1, 8, 100}

// Observed adds the table "observed" to r: what it costs to measure each request. If ctx ends,
// Observed returns ctx's error, and the table has what was measured until then.
func Observed(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	names := []string{"recycling", "observed"}
	t := &record.Table{
		Name: "observed", Title: "What it costs to measure each request",
		Keys:    []string{"mode and connections", "server"},
		Columns: requestColumns,
		Terms:   latencyTerms,
	}
	compare(t, names)
	t.Subject = "observed"
	note(t, "Each connection requests %s, which answers at once, and sends its next request when it has the answer to the last. %d rounds of %v.",
		lightPath, c.Rounds, c.Short)
	r.Tables = append(r.Tables, t)
	var all []situation
	for _, mode := range []string{"keep", "close"} {
		for _, n := range observedConns {
			all = append(all, situation{
				key:     modeName(mode) + ", " + strconv.Itoa(n),
				words:   fmt.Sprintf("%s, %d connections", modeName(mode), n),
				servers: names, spec: server.Spec{Conns: n, Router: "mux"},
				measure: c.under(load.Request{Path: lightPath, Close: mode == "close"}, n),
			})
		}
	}
	return c.each(ctx, p, t, all)
}
