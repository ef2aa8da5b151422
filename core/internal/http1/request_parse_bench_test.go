package http1

import (
	"context"
	"net/http"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
)

// BenchmarkParse parses header blocks as sent by a browser and by a client in a service.
func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, block string }{
		{"small", "GET /yo HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{"service", "POST /v1/orders?limit=10 HTTP/1.1\r\nHost: orders.internal:8080\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 0\r\n" +
			"Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nContent-Type: application/json\r\nX-Request-Id: 6a1c0b9e\r\nAccept-Encoding: gzip\r\n\r\n"},
		{"browser", "GET /images/logo.png HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n" +
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n" +
			"Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\nReferer: https://www.example.com/\r\n" +
			"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\n" +
			"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1\r\nIf-None-Match: \"5f1a\"\r\n\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := &Server{HTTP: &http.Server{}}
			w := NewWorker(s)
			conn := &Conn{srv: s, listener: &ListenerConfig{Server: s, Context: context.Background()}}
			set, err := park.NewSet(park.Config{})
			if err != nil {
				b.Fatal(err)
			}
			set.Add(&conn.Conn, &memConn{over: func() {}})
			block := []byte(c.block)
			b.ReportAllocs()
			for b.Loop() {
				x, err := w.newExchange(conn, block)
				if err != nil {
					b.Fatal(err)
				}
				x.recyclable = x.given == nil
				w.x = x
				w.endExchange()
			}
		})
	}
}
