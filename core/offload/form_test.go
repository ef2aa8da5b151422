package offload_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func TestMiddlewareLeavesNoUploads(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("Timeout=%v,panics=%t", timeout, panics), func(t *testing.T) {
				limited := newPool(t, offload.Config{Timeout: timeout}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := leak.SaveUpload(w, r); err != nil {
						t.Error(err)
					}
					if panics {
						panic("after saving")
					}
				}))
				recovering := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { recover() }()
					limited.ServeHTTP(w, r)
				})
				inEveryServer(t, recovering, func(t *testing.T, addr string) { leak.Upload(t, addr) })
			})
		}
	}
}
