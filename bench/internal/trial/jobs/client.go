package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"sync"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
)

// An input is the input of every task of the trial.
type input struct {
	Token   string
	Key     string        `json:",omitempty"`
	Work    time.Duration // how long the task takes
	Padding []byte        `json:",omitempty"`
	Reply   int           `json:",omitempty"` // how many bytes of padding the output has
}

// An output is the output of every task of the trial.
type output struct {
	history.Result
	Padding []byte `json:",omitempty"`
}

// A state is what an HTTP server says of an enqueued task.
type state struct {
	State  string
	Error  string  `json:",omitempty"`
	Output *output `json:",omitempty"`
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

// attemptLimit is how long a client waits for a response to an attempt to enqueue.
const attemptLimit = 15 * time.Second

// tookHeader is the header with the time that a call took in the server. Clients and the trial run
// on one machine, and the time of a client that waits for a processor says nothing about the
// server.
const tookHeader = "Took"

// post sends v as JSON to a random HTTP server, and reads a response of 200 or 202 into result. It
// returns the status, and zero with an error if there was no response.
func (t *trial) post(ctx context.Context, path string, v, result any, took *time.Duration) (status int, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	return t.request(ctx, http.MethodPost, path, body, result, took)
}

// request also stores how long the server took, if took is not nil and the response says so.
func (t *trial) request(ctx context.Context, method, path string, body []byte, result any, took *time.Duration) (status int, err error) {
	addr := t.servers[t.random.intN(len(t.servers))].setup.Addr
	req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := t.http.Do(req)
	if u := (*neturl.Error)(nil); errors.As(err, &u) {
		return 0, u.Err
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if took != nil {
		if d, err := time.ParseDuration(resp.Header.Get(tookHeader)); err == nil {
			*took = d
		}
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return resp.StatusCode, errors.New(string(bytes.TrimSpace(got)))
	}
	return resp.StatusCode, json.Unmarshal(got, result)
}

// A job is a task to be enqueued.
type job struct {
	number int
	key    string // empty if it has none
	copies int    // how often it is enqueued
	late   bool   // the copies are enqueued a while later, when the first is done
	in     input
}

// newJob returns the job with this number. Of ten jobs, four have a key; of a hundred, two are
// large, one has a large output, and one takes seconds.
func (t *trial) newJob(number int) job {
	j := job{number: number, copies: 1}
	j.in.Work = t.random.between(time.Millisecond, 50*time.Millisecond)
	if number%100 == 50 {
		j.in.Work = t.random.between(time.Second, 3*time.Second)
	}
	if number%10 < 4 {
		j.key = fmt.Sprintf("key-%d", number)
		j.copies = 2 + t.random.intN(3)
		j.late = t.random.intN(2) == 0
	}
	size := 20
	switch number % 100 {
	case 7, 21:
		size = t.random.intN(1<<20) + 1<<20 // more than a NATS message may have
	case 13:
		j.in.Reply = t.random.intN(1<<20) + 1<<20
	}
	j.in.Padding = bytes.Repeat([]byte{byte('a' + number%26)}, size)
	return j
}

// enqueueAll enqueues all jobs, evenly over Duration, and watches what becomes of them until ctx
// ends or all are done. It calls sent when each job has been accepted once.
func (t *trial) enqueueAll(ctx context.Context, sent func()) {
	var accepted, watching sync.WaitGroup
	asking := make(chan struct{}, 16) // bounds the number of clients that ask for states
	ids, begin := new(sync.Map), time.Now()
	for number := range t.Tasks {
		wait(ctx, time.Until(begin.Add(t.Duration*time.Duration(number)/time.Duration(t.Tasks))))
		if ctx.Err() != nil {
			break
		}
		j := t.newJob(number)
		for range j.copies {
			delay := time.Duration(0)
			if j.late {
				delay = t.random.between(0, t.Duration/10)
			}
			accepted.Add(1)
			watching.Go(func() {
				wait(ctx, delay)
				id := t.enqueue(ctx, j)
				accepted.Done()
				if _, twice := ids.LoadOrStore(id, true); id != "" && !twice {
					t.watch(ctx, id, asking)
				}
			})
		}
	}
	accepted.Wait()
	sent()
	watching.Wait()
}

// enqueue enqueues a job once, with as many attempts as it needs, and returns its ID. It returns an
// empty ID if ctx has ended.
func (t *trial) enqueue(ctx context.Context, j job) (id string) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		in := j.in
		in.Key, in.Token = j.key, j.key
		if j.key == "" { // a second attempt is another task, as nobody can know better
			in.Token = fmt.Sprintf("job-%d.%d", j.number, attempt)
		}
		e := history.Enqueued{Token: in.Token, Key: j.key, Sum: sum(in.Padding), At: time.Now()}
		limited, cancel := context.WithTimeout(ctx, attemptLimit)
		var got struct{ ID string }
		status, err := t.post(limited, "/enqueue", in, &got, nil)
		cancel()
		e.Status, e.ID, e.Took = status, got.ID, time.Since(e.At)
		if status == 0 {
			e.Error = err.Error()
			if ctx.Err() != nil {
				return "" // the attempt did not have its time
			}
		}
		t.mu.Lock()
		t.history.Enqueued = append(t.history.Enqueued, e)
		t.mu.Unlock()
		if e.Accepted() {
			return e.ID
		}
		if status != 0 && status != http.StatusServiceUnavailable {
			t.note("enqueuing %s: %d %v", e.Token, status, err)
		}
		wait(ctx, t.random.between(50*time.Millisecond, 500*time.Millisecond))
	}
	return ""
}

// watch asks for the state of a task until it is done.
func (t *trial) watch(ctx context.Context, id string, asking chan struct{}) {
	for pause := t.random.between(100*time.Millisecond, 2*time.Second); ; pause = min(2*pause, 5*time.Second) {
		wait(ctx, pause)
		select {
		case asking <- struct{}{}:
		case <-ctx.Done():
			return
		}
		s, ok := t.look(ctx, id)
		<-asking
		if ok && s.State == history.Done {
			return
		}
		if ok && s.State == dead {
			t.revive(ctx, id)
		}
	}
}

// dead is the state of a task that was given up.
const dead = "dead"

// revive enqueues a dead letter again, as an operator would. A task that was killed with its worker
// too often is not lost: it waits for that.
func (t *trial) revive(ctx context.Context, id string) {
	limited, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	status, err := t.request(limited, http.MethodPost, "/jobs/"+id+"/retry", nil, new(struct{}), nil)
	if status == http.StatusAccepted {
		t.mu.Lock()
		t.revived++
		t.mu.Unlock()
	} else if status != 0 && status != http.StatusServiceUnavailable {
		t.note("reviving %s: %d %v", id, status, err)
	}
}

// look asks for the state of a task once.
func (t *trial) look(ctx context.Context, id string) (history.Seen, bool) {
	limited, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	var got state
	status, err := t.request(limited, http.MethodGet, "/jobs/"+id, nil, &got, nil)
	if status != http.StatusOK || err != nil {
		if status != 0 && status != http.StatusServiceUnavailable {
			t.note("the state of %s: %d %v", id, status, err)
		}
		return history.Seen{}, false
	}
	s := history.Seen{ID: id, At: time.Now(), State: got.State}
	if got.Output != nil {
		s.Result = got.Output.Result
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.history.Seen = append(t.history.Seen, s)
	return s, true
}
