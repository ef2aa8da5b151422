package connections

import (
	"context"
	"fmt"
	"strconv"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// Loads adds the table "loads" to r: what a request costs on keep-alive connections that are all
// active, from one to many. If ctx ends, Loads returns ctx's error, and the table has what was
// measured until then.
func Loads(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	t := &record.Table{
		Name: "loads", Title: "Keep-alive connections that are all active",
		Keys:    []string{"connections", "server"},
		Columns: requestColumns,
		Terms:   latencyTerms,
		Charts:  eachFigure("loads", "all connections active", record.Chart{X: "connections", Series: "server", Lines: true, Log: true}),
	}
	compare(t, c.Main)
	note(t, "Each connection requests %s, which answers at once, and sends its next request when it has the answer to the last. %d rounds of %v. "+
		"CPU is the server process's own; the client shares the processors with it.", lightPath, c.Rounds, c.Short)
	r.Tables = append(r.Tables, t)
	servers := serving(available(t, c.Main), lightPath)
	var all []situation
	for _, n := range affordable(t, c.Loads) {
		all = append(all, situation{
			key: strconv.Itoa(n), words: fmt.Sprintf("%d connections", n), servers: servers,
			spec: server.Spec{Conns: n}, measure: c.under(load.Request{Path: lightPath}, n),
		})
	}
	return c.each(ctx, p, t, all)
}
