package recycling_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// linesOf returns the lines that contain text, without their time.
func linesOf(log *logBuffer, text string) (lines []string) {
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, strings.TrimSpace(regexp.MustCompile(`^time=\S+ `).ReplaceAllString(line, "")))
		}
	}
	return lines
}

// An overloading is a reason for which a server refuses connections, makes room or does not accept.
type overloading struct {
	limits  recycling.Limits
	refuse  bool // RefuseConns
	modes   []mode
	provoke func(t *testing.T, s *instance, g *gate)
	what    string // it does
	reason  string
	limit   string
	count   func(recycling.Stats) int64
	least   int64 // events that provoke makes happen
}

// refuseMany expects that many more requests are refused.
func refuseMany(t *testing.T, s *instance) {
	t.Helper()
	for range 20 {
		c := s.dial(t)
		c.send(get)
		c.refused()
	}
}

// occupy has a handler serve a request until g is opened.
func occupy(t *testing.T, s *instance, g *gate) {
	t.Helper()
	s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
	receive(t, g.entered, "the handler")
}

var overloadings = map[string]*overloading{
	"MaxQueue": {
		limits:  recycling.Limits{MaxWorkers: 1, MaxQueue: 1, QueueWait: -1},
		modes:   workerModes,
		provoke: func(t *testing.T, s *instance, g *gate) { overload(t, s, g); refuseMany(t, s) },
		what:    "refusing connections", reason: "MaxQueue", limit: "1",
		count: func(st recycling.Stats) int64 { return st.ShedQueue - st.ShedWait }, least: 20,
	},
	"QueueWait": {
		limits:  recycling.Limits{MaxWorkers: 1, QueueWait: 50 * time.Millisecond},
		modes:   []mode{recyclingOwn, recyclingNet, recyclingWrapped},
		provoke: func(t *testing.T, s *instance, g *gate) { occupy(t, s, g); refuseMany(t, s) },
		what:    "refusing connections", reason: "QueueWait", limit: "50ms",
		count: func(st recycling.Stats) int64 { return st.ShedWait }, least: 20,
	},
	"RefuseConns": {
		limits: recycling.Limits{MaxConns: 1}, refuse: true,
		modes:   workerModes,
		provoke: func(t *testing.T, s *instance, g *gate) { occupy(t, s, g); refuseMany(t, s) },
		what:    "refusing connections", reason: "MaxConns", limit: "1",
		count: func(st recycling.Stats) int64 { return st.ShedConns }, least: 20,
	},
	"MaxConnsPerIP": {
		limits:  recycling.Limits{MaxConnsPerIP: 1},
		modes:   workerModes,
		provoke: func(t *testing.T, s *instance, g *gate) { occupy(t, s, g); refuseMany(t, s) },
		what:    "refusing connections", reason: "MaxConnsPerIP", limit: "1",
		count: func(st recycling.Stats) int64 { return st.ShedPerIP }, least: 20,
	},
	"evicting": {
		limits: recycling.Limits{MaxConns: 2},
		modes:  parkModes,
		provoke: func(t *testing.T, s *instance, g *gate) {
			needsParking(t)
			for range 20 {
				s.dial(t).get("/")
			}
		},
		what: "closing connections to make room", reason: "MaxConns", limit: "2",
		count: func(st recycling.Stats) int64 { return st.Evicted }, least: 18,
	},
	"holding": {
		limits: recycling.Limits{MaxConns: 1},
		modes:  workerModes,
		provoke: func(t *testing.T, s *instance, g *gate) {
			occupy(t, s, g)
			s.dial(t).send(get)
		},
		what: "holding connections back", reason: "MaxConns", limit: "1",
		count: func(st recycling.Stats) int64 { return st.Held }, least: 3,
	},
}

func TestOverloadIsLoggedTwice(t *testing.T) {
	parallel(t)
	for name, o := range overloadings {
		t.Run(name, func(t *testing.T) {
			forEach(t, o.modes, func(t *testing.T, m mode) {
				log, g := new(logBuffer), newGate(t)
				srv := &recycling.Server{HTTP: quiet(), Log: slog.New(slog.NewTextHandler(log, nil)), Limits: o.limits, RefuseConns: o.refuse, Standby: 1}
				s := m.start(t, srv, g.serve)
				o.provoke(t, s, g)
				s.await(t, "it to be counted", func(st recycling.Stats) bool { return o.count(st) >= o.least })
				g.open()
				end(t, srv)
				st := s.Stats()
				got := linesOf(log, o.what+`" reason=`+o.reason)
				want := []string{
					fmt.Sprintf(`level=WARN msg="recycling: %s" reason=%s limit=%s`, o.what, o.reason, o.limit),
					fmt.Sprintf(`level=WARN msg="recycling: no longer %s" reason=%s limit=%s count=%d duration=`, o.what, o.reason, o.limit, o.count(st)),
				}
				if len(got) != 2 || got[0] != want[0] || !strings.HasPrefix(got[1], want[1]) {
					t.Errorf("logged\n%q, want\n%q", got, want)
				}
				if st.Shed != st.ShedConns+st.ShedPerIP+st.ShedQueue {
					t.Errorf("the sum is wrong: %+v", st)
				}
			})
		})
	}
}

// Exact times, with requests that are refused one by one.
func TestOverloadIsLoggedWhenItBeginsGoesOnAndEnds(t *testing.T) {
	parallel(t)
	log := new(logBuffer)
	s := &recycling.Server{
		Strategy: recycling.Recycling, Standby: 1, Log: slog.New(slog.NewTextHandler(log, nil)),
		Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1, QueueWait: -1},
	}
	var busy chan bool
	inBubble(t, s, func(http.ResponseWriter, *http.Request) { <-busy }, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
		busy = make(chan bool)
		for range 2 { // the first is served, the second waits
			go io.WriteString(dial(nil), get)
			synctest.Wait()
		}
		refuse := func(n int) {
			for range n {
				c := dial(nil)
				go io.WriteString(c, get)
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || res.StatusCode != http.StatusServiceUnavailable {
					t.Fatalf("the answer is %v, %v", res, err)
				}
				c.Close()
				time.Sleep(900 * time.Millisecond) // no event is due when a line is
			}
		}
		const end = " reason=MaxQueue limit=1"
		check := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			for i := range want {
				want[i] = `level=WARN msg="recycling: ` + want[i]
			}
			if got := linesOf(log, "WARN"); !slices.Equal(got, want) {
				t.Errorf("%s, the log has\n%s\nwant\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		check("at first")
		refuse(3)
		check("after three", `refusing connections"`+end)
		time.Sleep(4100*time.Millisecond - time.Nanosecond)
		check("just before the end", `refusing connections"`+end)
		time.Sleep(time.Nanosecond)
		short := []string{`refusing connections"` + end, `no longer refusing connections"` + end + " count=3 duration=1.8s"}
		check("at the end", slices.Clone(short)...)
		time.Sleep(time.Hour)
		check("after an hour", slices.Clone(short)...)
		refuse(150)
		time.Sleep(time.Minute)
		check("after a long one", append(short,
			`refusing connections"`+end,
			`still refusing connections"`+end+" count=67 duration=1m0s",
			`still refusing connections"`+end+" count=134 duration=2m0s",
			`no longer refusing connections"`+end+" count=150 duration=2m14.1s")...)
		close(busy)
	})
}

// A hostileHandler is an slog.Handler that calls itself.
type hostileHandler func()

func (h hostileHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (h hostileHandler) Handle(context.Context, slog.Record) error { h(); return nil }
func (h hostileHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h hostileHandler) WithGroup(string) slog.Handler             { return h }

func TestHostileLogHoldsUpNothing(t *testing.T) {
	parallel(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) }) // after the subtests
	for name, h := range map[string]hostileHandler{
		"blocks": func() { <-release }, "panics": func() { panic("a log") }, "exits": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				g := newGate(t)
				l, err := m.listen()
				if err != nil {
					t.Fatal(err)
				}
				srv := &recycling.Server{
					HTTP: quiet(), Strategy: m.strategy, Standby: 1, Log: slog.New(h),
					Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1, QueueWait: -1},
				}
				srv.HTTP.Handler = http.HandlerFunc(g.serve)
				s := serve(srv, l)
				t.Cleanup(func() { srv.Close() })
				occupy(t, s, g)
				queued := s.dial(t)
				queued.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				s.await(t, "it to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
				refuseMany(t, s)
				s.await(t, "all to be counted", func(st recycling.Stats) bool { return st.ShedQueue == 20 })
				g.open()
				queued.response()
				s.once(t, "/")
				if err := receive(t, s.shutdown(context.Background()), "Shutdown"); err != nil {
					t.Errorf("Shutdown returned %v", err)
				}
				s.ended(t, http.ErrServerClosed)
			})
		})
	}
}
