package connections

import (
	"context"
	"fmt"
	"slices"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// TLS adds the table "tls" to r: what a request costs over TLS, on new and on kept connections, and
// over HTTP/2. If ctx ends, TLS returns ctx's error, and the table has what was measured until
// then.
func TLS(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	http2 := fmt.Sprintf("HTTP/2, %d connections", c.Shared)
	t := &record.Table{
		Name: "tls", Title: "Requests over TLS",
		Keys:    []string{"mode", "server"},
		Columns: requestColumns,
		Terms: slices.Concat([]record.Term{
			{Name: modeName("close"), Meaning: "each request has a connection of its own, with a whole handshake, which is closed after the answer"},
			{Name: modeName("keep"), Meaning: "each connection is used for one request after the other"},
			{Name: http2, Meaning: fmt.Sprintf("%d requests at a time on each of them", c.Streams)},
		}, latencyTerms),
		Charts: eachFigure("tls", "over TLS", record.Chart{X: "mode", Series: "server"}),
	}
	compare(t, c.Main)
	note(t, "Requests of %s, which answers at once. %d connections with HTTP/1.1, of which each sends its next request when it has the answer to the last, "+
		"and %d with HTTP/2. TLS 1.3 and a certificate with an ECDSA key, as package tls has it by default. %d rounds of %v. CPU is the server process's own. "+
		"The client is package tls and net/http, which takes more CPU than that of other tables; it shares the processors with the server.", lightPath, c.Secure, c.Shared, c.Rounds, c.Short)
	r.Tables = append(r.Tables, t)
	servers := secure(available(t, c.Main), false)
	kept := load.Request{Path: lightPath, TLS: true}
	once, streams := kept, kept
	once.Close, streams.Streams = true, c.Streams
	return c.each(ctx, p, t, []situation{
		c.overTLS(modeName("close"), servers, once, c.Secure),
		c.overTLS(modeName("keep"), servers, kept, c.Secure),
		c.overTLS(http2, secure(servers, true), streams, c.Shared),
	})
}

func (c Config) overTLS(key string, servers []string, r load.Request, n int) situation {
	return situation{key: key, words: key, servers: servers, spec: server.Spec{Conns: n, TLS: true}, measure: c.under(r, n)}
}

// secure returns the servers that serve TLS, or HTTP/2 over TLS.
func secure(servers []string, http2 bool) []string {
	return slices.DeleteFunc(slices.Clone(servers), func(s string) bool {
		ok, h2 := server.Secure(s)
		return !ok || http2 && !h2
	})
}
