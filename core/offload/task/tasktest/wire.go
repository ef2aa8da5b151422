package tasktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A hold is the input of a task that connects to the test and takes its orders.
type hold struct {
	Addr     string // where the test listens
	Stubborn bool   // the task does not end when its context does
}

// An order tells a held task what to do next.
type order struct {
	manner      // how to end; or
	Write  int  // how many chunks to write, with a report after each
	Size   int  // of each chunk
	Die    bool // kill the process
}

// A report says what a held task has done.
type report struct {
	Chunks int    // how many it has written so far
	Err    string // of the last one
	Ended  string // the error of its context, when that has ended
}

func heldTask(ctx context.Context, in hold) (string, error) { return obey(ctx, in, nil) }

func heldWriter(ctx context.Context, in hold, w io.Writer) error {
	_, err := obey(ctx, in, w)
	return err
}

// obey is a held task. It returns the text of the last order.
func obey(ctx context.Context, in hold, w io.Writer) (string, error) {
	conn, err := net.Dial("tcp", in.Addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var mu sync.Mutex // guards enc
	enc := json.NewEncoder(conn)
	tell := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		enc.Encode(r)
	}
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		tell(report{Ended: ctx.Err().Error()})
		if !in.Stubborn {
			conn.SetReadDeadline(time.Unix(1, 0))
		}
	})
	defer func() {
		if !stop() {
			<-told
		}
	}()
	written := 0
	for dec := json.NewDecoder(conn); ; {
		var o order
		if err := dec.Decode(&o); err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", fmt.Errorf("the test has left: %w", err)
		}
		switch {
		case o.Die:
			os.Exit(3)
		case o.Write > 0:
			for range o.Write {
				_, err := w.Write(chunk(written, o.Size))
				if err != nil {
					tell(report{Chunks: written, Err: err.Error()})
					break
				}
				written++
				tell(report{Chunks: written})
			}
		default:
			return o.Text, o.end()
		}
	}
}

// A watch accepts the connections of held tasks.
type watch struct {
	t     *test
	l     net.Listener
	begun chan *running
}

// A running is a held task that has begun.
type running struct {
	t       *test
	conn    net.Conn
	reports chan report // closed when the task has ended, in whatever way
	ended   chan string // receives the error of the task's context
}

// watch returns a watch. It ends at the end of the test, and so do the tasks that it holds.
func (t *test) watch() *watch {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{t: t, l: l, begun: make(chan *running, 1000)}
	var mu sync.Mutex
	var conns []net.Conn
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			r := &running{t: t, conn: conn, reports: make(chan report, 10_000), ended: make(chan string, 1)}
			all.Go(r.listen)
			w.begun <- r
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return w
}

func (r *running) listen() {
	defer close(r.reports)
	for dec := json.NewDecoder(r.conn); ; {
		var rep report
		if dec.Decode(&rep) != nil {
			return
		}
		if rep.Ended != "" {
			r.ended <- rep.Ended
			continue
		}
		r.reports <- rep
	}
}

// hold returns the input of a held task.
func (w *watch) hold() hold { return hold{Addr: w.l.Addr().String()} }

// next waits for a held task that begins.
func (w *watch) next() *running {
	w.t.Helper()
	return receive(w.t, w.begun, "task has begun")
}

// noneBegins fails the test if a held task begins that next has not returned. It waits for one that
// is about to begin.
func (w *watch) noneBegins() {
	w.t.Helper()
	select {
	case <-w.begun:
		w.t.Error("a task has begun that should wait")
	case <-time.After(time.Second):
	}
}

// none fails the test if a held task has begun that next has not returned.
func (w *watch) none() {
	w.t.Helper()
	select {
	case <-w.begun:
		w.t.Error("a task has begun that should not")
	default:
	}
}

func (r *running) order(o order) {
	r.t.Helper()
	if err := json.NewEncoder(r.conn).Encode(o); err != nil {
		r.t.Errorf("the task does not take orders: %v", err)
	}
}

// end lets the task return text.
func (r *running) end(text string) {
	r.t.Helper()
	r.order(order{manner: manner{How: "return", Text: text}})
}

// report waits for the next report.
func (r *running) report() report {
	r.t.Helper()
	return receive(r.t, r.reports, "report from the task")
}

// contextEnds waits until the task's context ends.
func (r *running) contextEnds() {
	r.t.Helper()
	receive(r.t, r.ended, "end of the task's context")
}

// gone waits until the task has ended.
func (r *running) gone() {
	r.t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case _, ok := <-r.reports:
			if !ok {
				return
			}
		case <-timeout:
			r.t.Fatal("the task does not end")
		}
	}
}

var errWriter = errors.New("the writer fails")
