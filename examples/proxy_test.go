package examples_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recyclingecho5 "github.com/recycling-go/recycling/adapters/echo5"
	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// What a framework calls the client's address is the one in the header of the PROXY protocol.
func TestClientAddressFollowsTheProxyProtocol(t *testing.T) {
	frameworks := map[string]func(recycling.Option) *recycling.Server{
		"chi": func(o recycling.Option) *recycling.Server {
			r := chi.NewRouter()
			r.Get("/", func(w http.ResponseWriter, r *http.Request) {
				host, _, _ := net.SplitHostPort(r.RemoteAddr)
				io.WriteString(w, host)
			})
			return recyclingchi.New(r, o)
		},
		"echo v4": func(o recycling.Option) *recycling.Server {
			e := echo.New()
			e.HideBanner, e.HidePort = true, true
			e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, c.RealIP()) })
			return recyclingecho.New(e, o)
		},
		"echo v5": func(o recycling.Option) *recycling.Server {
			e := echo5.New()
			e.GET("/", func(c *echo5.Context) error { return c.String(http.StatusOK, c.RealIP()) })
			return recyclingecho5.New(e, o)
		},
		"gin": func(o recycling.Option) *recycling.Server {
			gin.SetMode(gin.TestMode)
			engine := gin.New()
			engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, c.ClientIP()) })
			return recyclinggin.New(engine, o)
		},
	}
	for name, framework := range frameworks {
		for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed, recycling.Goroutine} {
			t.Run(name+"/"+string(strategy), func(t *testing.T) {
				s := framework(func(s *recycling.Server) {
					s.Strategy = strategy
					s.ProxyProtocol = &proxyproto.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
				})
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				served := make(chan error, 1)
				go func() { served <- s.Serve(l) }()
				defer func() {
					s.Close()
					<-served
				}()
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
	}
}
