package recyclinggin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/recyclingtest"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func TestOffloadAbortsWithTheError(t *testing.T) {
	p, err := offload.New(offload.Config{Workers: 1, Queue: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	engine := gin.New()
	var seen error
	engine.Use(func(c *gin.Context) {
		c.Next()
		if last := c.Errors.Last(); last != nil {
			seen = last.Err
		}
	})
	engine.GET("/", recyclinggin.Offload(p), func(c *gin.Context) {
		// This handler occupies the only worker, so another request finds none.
		again := httptest.NewRecorder()
		engine.ServeHTTP(again, httptest.NewRequest("GET", "/inner", nil))
		if again.Code != http.StatusServiceUnavailable || again.Header().Get("Retry-After") == "" || !errors.Is(seen, offload.ErrFull) {
			t.Errorf("answered with %d, Retry-After %q, after %v", again.Code, again.Header().Get("Retry-After"), seen)
		}
		c.String(http.StatusOK, "done")
	})
	engine.GET("/inner", recyclinggin.Offload(p), func(c *gin.Context) { c.String(http.StatusOK, "inner") })
	for range 2 {
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusOK || w.Body.String() != "done" {
			t.Errorf("answered with %d %q", w.Code, w.Body)
		}
	}
}

func TestOffloadLeavesTheRequestAlone(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		p, err := offload.New(offload.Config{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		engine := gin.New()
		r := httptest.NewRequest("GET", "/", nil)
		engine.GET("/", recyclinggin.Offload(p), func(c *gin.Context) {
			if _, ok := c.Request.Context().Deadline(); (c.Request == r) == ok || ok != (timeout > 0) {
				t.Errorf("with Timeout %v: same request is %t, a deadline %t", timeout, c.Request == r, ok)
			}
		})
		for _, ctx := range []context.Context{context.Background(), t.Context()} {
			r = r.WithContext(ctx)
			engine.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
}

func TestOffloadLeavesNoUploads(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("Timeout=%v,panics=%t", timeout, panics), func(t *testing.T) {
				p, err := offload.New(offload.Config{Timeout: timeout})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
					engine := gin.New()
					engine.Use(gin.CustomRecoveryWithWriter(io.Discard, func(*gin.Context, any) {}))
					engine.POST("/", recyclinggin.Offload(p), func(c *gin.Context) {
						if err := leak.SaveUpload(c.Writer, c.Request); err != nil {
							t.Error(err)
						}
						if panics {
							panic("after saving")
						}
					})
					s := recyclingtest.Serve(recyclinggin.New(engine, func(s *recycling.Server) { s.Strategy = strategy }), recyclingtest.Loopback(t))
					defer func() {
						s.Close()
						<-s.Served
					}()
					leak.Upload(t, s.Addr.String())
				})
			})
		}
	}
}
