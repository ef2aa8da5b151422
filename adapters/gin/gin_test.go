package recyclinggin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
)

func TestAddress(t *testing.T) {
	for _, tt := range []struct {
		name, port, want string
		options          []recycling.Option
	}{
		{"from nothing", "", ":8080", nil},
		{"from PORT", "1234", ":1234", nil},
		{"from an option", "1234", ":9", []recycling.Option{recycling.Addr(":9")}},
	} {
		t.Setenv("PORT", tt.port)
		if got := recyclinggin.New(gin.New(), tt.options...).HTTP.Addr; got != tt.want {
			t.Errorf("%s: Addr is %q, want %q", tt.name, got, tt.want)
		}
	}
}

// debugging turns on debug mode and returns what gin prints.
func debugging(t *testing.T) (out, errs *bytes.Buffer) {
	o, e := gin.DefaultWriter, gin.DefaultErrorWriter
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	gin.DefaultWriter, gin.DefaultErrorWriter = out, errs
	gin.SetMode(gin.DebugMode)
	t.Cleanup(func() {
		gin.DefaultWriter, gin.DefaultErrorWriter = o, e
		gin.SetMode(gin.TestMode)
	})
	return out, errs
}

func TestServePrintsNothingInReleaseMode(t *testing.T) {
	out, errs := debugging(t)
	gin.SetMode(gin.ReleaseMode)
	recyclinggin.Serve(gin.New(), recycling.Addr("127.0.0.1:99999"))
	if out.Len()+errs.Len() > 0 {
		t.Errorf("printed %q and %q, want nothing", out, errs)
	}
}

func TestServeEndsWithSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal here")
	}
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		err := recyclinggin.Serve(gin.New(), recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) {
			s.Strategy = strategy
			s.HTTP.BaseContext = func(net.Listener) context.Context { // called when it serves
				if p, err := os.FindProcess(os.Getpid()); err != nil || p.Signal(syscall.SIGTERM) != nil {
					t.Error("cannot send a signal")
				}
				return context.Background()
			}
		})
		if err != nil {
			t.Errorf("Serve returned %v, want nil", err)
		}
	})
}

func TestUseH2CIsKept(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		engine := gin.New()
		engine.UseH2C = true
		engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, c.Request.Proto) })
		s := recyclinggin.New(engine, func(s *recycling.Server) { s.Strategy = strategy })
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		defer func() {
			s.Close()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
			}
		}()

		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); string(body) != "HTTP/2.0" {
			t.Errorf("the handler got %q (%v), want HTTP/2.0", body, err)
		}
	})
}
