package recyclinggin_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// The client's address is the one in the header of the PROXY protocol.
func TestClientIPFollowsTheProxyProtocol(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		engine := gin.New()
		engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, c.ClientIP()) })
		s := recyclinggin.New(engine, func(s *recycling.Server) {
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
