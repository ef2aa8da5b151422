package recyclinggin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	"github.com/recycling-go/recycling/core/offload"
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
		// The only worker is here, so that another request finds none.
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
