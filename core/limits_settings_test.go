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
			Standby: math.MaxInt, Limits: recycling.Limits{MaxWorkers: math.MaxInt, MaxWaiting: math.MaxInt, MaxQueue: math.MaxInt, QueueWait: forever, MaxConns: math.MaxInt, MaxConnsPerIP: math.MaxInt, MaxRequestsPerConn: math.MaxInt, MaxConnAge: forever, BodyTimeout: forever, AnswerTimeout: forever},
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

func TestStatsSayWhichLimitsThereAre(t *testing.T) {
	parallel(t)
	st := serveOne(t, &recycling.Server{
		HTTP: answering(), Strategy: recycling.Recycling,
		Limits: recycling.Limits{MaxWorkers: 7, MaxWaiting: 9, MaxQueue: -1, QueueWait: time.Second, MaxConns: 100, MaxConnsPerIP: 50, MaxRequestsPerConn: 1000, MaxConnAge: time.Hour, BodyTimeout: time.Minute, AnswerTimeout: time.Hour}, Standby: 3,
	})
	want := recycling.Limits{
		MaxWorkers: 7, MaxWaiting: 9, MaxQueue: -1, QueueWait: time.Second, MaxConns: 100, MaxConnsPerIP: 50,
		MaxRequestsPerConn: 1000, MaxConnAge: time.Hour, BodyTimeout: time.Minute, AnswerTimeout: time.Hour,
	}
	if st.Limits != want {
		t.Errorf("limits are %+v, want %+v", st.Limits, want)
	}
	for _, off := range []int{-1, math.MinInt} {
		d := time.Duration(off)
		none := recycling.Limits{
			MaxWorkers: off, MaxWaiting: off, MaxQueue: off, QueueWait: d, MaxConns: off, MaxConnsPerIP: off,
			MaxRequestsPerConn: off, MaxConnAge: d, BodyTimeout: d, AnswerTimeout: d,
		}
		want = recycling.Limits{
			MaxWorkers: -1, MaxWaiting: -1, MaxQueue: -1, QueueWait: -1, MaxConns: -1, MaxConnsPerIP: -1,
			MaxRequestsPerConn: -1, MaxConnAge: -1, BodyTimeout: -1, AnswerTimeout: -1,
		}
		for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed} {
			st := serveOne(t, &recycling.Server{HTTP: answering(), Strategy: strategy, Standby: off, Limits: none})
			if st.Limits != want {
				t.Errorf("%s: limits are %+v, want %+v", strategy, st.Limits, want)
			}
		}
	}
}

func TestStallsHaveDefaults(t *testing.T) {
	parallel(t)
	for _, x := range []struct{ set, want time.Duration }{{0, time.Minute}, {-1, -1}, {time.Hour, time.Hour}} {
		t.Run(x.set.String(), func(t *testing.T) {
			s := recyclingOwn.start(t, &recycling.Server{Limits: recycling.Limits{BodyTimeout: x.set, AnswerTimeout: x.set}}, hello)
			s.once(t, "/")
			if l := s.Stats().Limits; l.BodyTimeout != x.want || l.AnswerTimeout != x.want {
				t.Errorf("%+v", l)
			}
		})
	}
}
