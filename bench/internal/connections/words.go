package connections

import (
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// Columns that several tables share.
var (
	cpuColumn  = record.Column{Name: "CPU", Label: "CPU per request", Unit: "µs/req", Format: "%.1f", Better: record.Lower}
	rateColumn = record.Column{Name: "rate", Label: "requests per second", Unit: "req/s", Format: "%.0f", Better: record.Higher}
	p50Column  = record.Column{Name: "p50", Label: "p50 latency", Unit: "ms", Format: "%.2f", Better: record.Lower}
	p99Column  = record.Column{Name: "p99", Label: "p99 latency", Unit: "ms", Format: "%.2f", Better: record.Lower}
	maxColumn  = record.Column{Name: "max", Unit: "ms", Format: "%.1f"} // random, so not compared
	peakColumn = record.Column{Name: "peak", Label: "peak memory", Unit: "MiB", Format: "%.1f", Better: record.Lower}
)

// requestColumns are the columns of tables that say no more than what a request costs.
var requestColumns = []record.Column{cpuColumn, rateColumn, p50Column, p99Column, maxColumn, errorsColumn}

// compare makes t a comparison of recycling with the other servers, and adds the meanings of their
// names.
func compare(t *record.Table, servers []string) {
	t.Baseline = first(servers)
	t.Subject = "recycling"
	t.References = []string{"fixed", "floor"}
	for _, s := range servers {
		if about := server.About(s); about != "" {
			t.Terms = append(t.Terms, record.Term{Name: s, Meaning: about})
		}
	}
}

// latencyTerms explain the latency columns.
var latencyTerms = []record.Term{
	{Name: "p50", Meaning: "half of the requests were answered within this time"},
	{Name: "p99", Meaning: "99 of 100 requests were answered within this time"},
}

// modeName describes a mode in words.
func modeName(mode string) string {
	switch mode {
	case "close":
		return "new connection"
	case "keep":
		return "keep-alive"
	}
	return mode
}

// handlerName describes in words what the handler of a path does.
func handlerName(path string) string {
	if ms, ok := strings.CutPrefix(path, "/sleep/"); ok {
		return "sleeps " + ms + " ms"
	}
	return "answers at once"
}

// scenarioTerms returns explanations of the keys of Run's table.
func scenarioTerms(modes, handlers []string) (terms []record.Term) {
	meanings := map[string]string{
		"close": "each request has a connection of its own, which is closed after the answer",
		"keep":  "each connection is used for one request after the other",
	}
	for _, mode := range modes {
		terms = append(terms, record.Term{Name: modeName(mode), Meaning: meanings[mode]})
	}
	for _, path := range handlers {
		meaning := "the handler writes 4 bytes and returns, so that nearly all the cost is the server's"
		if strings.HasPrefix(path, "/sleep/") {
			meaning = "the handler sleeps as a handler does that waits for a database, and then writes 5 bytes"
		}
		terms = append(terms, record.Term{Name: handlerName(path), Meaning: meaning})
	}
	return terms
}
