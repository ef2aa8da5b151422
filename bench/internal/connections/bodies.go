package connections

import (
	"context"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// The requests of Bodies, by what they move.
var bodies = []struct {
	key, meaning string
	request      load.Request
}{
	{"response of 100 kB", "the handler says how long it is, and writes it from memory", load.Request{Path: "/bytes/100000"}},
	{"upload of 64 KiB", "the handler reads a POST to its end, and answers with the number of bytes", load.Request{Path: "/upload", Body: 64 << 10}},
}

// Bodies adds the table "bodies" to r: what large responses and uploads cost. If ctx ends, Bodies
// returns ctx's error, and the table has what was measured until then.
func Bodies(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	t := &record.Table{
		Name: "bodies", Title: "Large responses and uploads",
		Keys:    []string{"body", "server"},
		Columns: requestColumns,
		Charts:  eachFigure("bodies", "large bodies", record.Chart{X: "body", Series: "server"})[:2],
	}
	for _, b := range bodies {
		t.Terms = append(t.Terms, record.Term{Name: b.key, Meaning: b.meaning})
	}
	t.Terms = append(t.Terms, latencyTerms...)
	compare(t, c.Main)
	note(t, "%d keep-alive connections, each of which sends its next request when it has the answer to the last. %d rounds of %v. "+
		"CPU is the server process's own, most of which the kernel takes to copy; the client shares the processors with it.", c.Transfers, c.Rounds, c.Short)
	r.Tables = append(r.Tables, t)
	servers := available(t, c.Main)
	var all []situation
	for _, b := range bodies {
		all = append(all, situation{
			key: b.key, words: b.key, servers: serving(servers, b.request.Path),
			spec: server.Spec{Conns: c.Transfers}, measure: c.under(b.request, c.Transfers),
		})
	}
	return c.each(ctx, p, t, all)
}
