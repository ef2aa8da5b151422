package recyclingecho_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// The client's address is the one in the header of the PROXY protocol.
func TestRealIPFollowsTheProxyProtocol(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e := echo.New()
		e.GET("/", func(c *echo.Context) error { return c.String(http.StatusOK, c.RealIP()) })
		s := recyclingecho.New(e, func(s *recycling.Server) {
			s.Strategy = strategy
			s.ProxyProtocol = &proxyproto.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		defer func() { s.Close(); <-served }()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "PROXY TCP4 192.0.2.7 198.51.100.1 4321 80\r\nGET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		if got, _ := io.ReadAll(c); !strings.HasSuffix(string(got), "192.0.2.7") {
			t.Errorf("answered %q, want the client's address at the end", got)
		}
	})
}
