package jobs

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
)

// patience is how much longer than its limit a client waits for a response to a call.
const patience = 5 * time.Second

// A caller sends calls, one after another.
type caller struct {
	trial *trial
	name  string
	limit time.Duration // of all calls; if it is zero, each has a random one
	work  time.Duration // of all tasks; if it is zero, each has a random one
	pause time.Duration // between two calls, at most
	right *atomic.Int64 // counts calls that were right; may be nil
}

// run sends calls until ctx ends. The last one is completed.
func (c caller) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		c.call(context.WithoutCancel(ctx), n)
		wait(ctx, c.trial.random.between(0, c.pause))
	}
}

// call sends the call with this number.
func (c caller) call(ctx context.Context, number int) {
	t := c.trial
	in := input{Token: fmt.Sprintf("call-%s-%d", c.name, number), Work: c.work}
	if in.Work == 0 {
		in.Work = t.random.between(time.Millisecond, 200*time.Millisecond)
		if number%20 == 10 {
			in.Work = time.Second
		}
	}
	size := 20
	if number%50 == 7 {
		size = 3 << 20
	}
	in.Padding = bytes.Repeat([]byte{byte('a' + number%26)}, size)
	call := history.Call{Token: in.Token, Idempotent: number%2 == 0, Sum: sum(in.Padding), At: time.Now(), Limit: c.limit}
	if call.Limit == 0 {
		call.Limit = t.random.between(2*time.Second, 10*time.Second)
	}
	path := "/call/once?limit="
	if call.Idempotent {
		path = "/call/again?limit="
	}
	limited, cancel := context.WithTimeout(ctx, call.Limit+patience)
	defer cancel()
	var got output
	status, err := t.post(limited, path+call.Limit.String(), in, &got, &call.Served)
	call.Took, call.Status = time.Since(call.At), status
	if err != nil {
		call.Error = err.Error()
	} else {
		call.Result = got.Result
	}
	if status == http.StatusOK && c.right != nil {
		c.right.Add(1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.history.Calls = append(t.history.Calls, call)
}
