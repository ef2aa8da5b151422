package recycling_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// Applications set the largest possible number to say "as much as possible"; adding to it
// overflows.
func TestLargestSettingsAreNoOverflow(t *testing.T) {
	parallel(t)
	const forever time.Duration = math.MaxInt64
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{
			HTTP: &http.Server{
				MaxHeaderBytes: math.MaxInt, ReadTimeout: forever, ReadHeaderTimeout: forever, WriteTimeout: forever, IdleTimeout: forever,
			},
			Standby: math.MaxInt, Limits: recycling.Limits{MaxWorkers: math.MaxInt, MaxQueue: math.MaxInt, QueueWait: forever, MaxConns: math.MaxInt, MaxConnsPerIP: math.MaxInt, MaxRequestsPerConn: math.MaxInt, MaxConnAge: forever, BodyTimeout: forever},
		}, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %v", body, err)
		})
		for range 20 { // the age limit of a connection is random
			nc, err := net.Dial("tcp", s.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			answers := bufio.NewReader(nc)
			for range 2 {
				for _, piece := range []string{"POST / HT", "TP/1.1\r\nHost: a\r\nContent-Length: 4\r\n", "\r\nab", "cd"} {
					io.WriteString(nc, piece)
					runtime.Gosched() // the server may see the pieces one by one
				}
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(res.Body); string(body) != "abcd <nil>" || res.Close {
					t.Fatalf("the answer is %s, %q, close %v", res.Status, body, res.Close)
				}
			}
			nc.Close()
		}
	})
}
