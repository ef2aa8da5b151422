package history

import (
	"fmt"
	"time"
)

// A Verdict is what Check has found.
type Verdict struct {
	Accepted   int // tasks with a key, and tasks without one, that were accepted
	Attempts   int // to enqueue something
	Refused    int // attempts that were answered with 503
	Unanswered int // attempts without a response
	Suppressed int // attempts with a key that was accepted already
	Executions int // of enqueued tasks
	Cut        int // executions that did not come to their end
	Effects    int // side effects that a key guards

	// Repeated is how often a task was executed again, by the fault that made it necessary.
	RepeatedKeyed, RepeatedOther map[Kind]int

	Calls   map[string]int // by how they ended
	Retried int            // calls of idempotent tasks that were executed again

	Wrong []string // what does not hold
}

// slack is how much later than its limit a call may be answered, on a machine with much to do.
const slack = 3 * time.Second

// Check says what the history shows. What must hold:
//
//   - Each enqueued task that was accepted has been executed to its end at least once, and its
//     state is "done", with its own result, of one of its executions. The result never changes.
//   - A key has one ID, and no other task has this ID.
//   - No task with a key is executed after a client has seen that it is done. It is executed a
//     second time only if a fault has hit the execution before: its completion may not have been
//     recorded. What the key guards takes place once.
//   - A task without a key is executed a second time only after such a fault, too.
//   - Nothing is executed that no client has sent.
//   - Each attempt to enqueue is answered with 202 or 503, unless an HTTP server was killed.
//   - Each call has its own result, or an error, within its limit, and a response, again unless an
//     HTTP server was killed. A call of a task that is not idempotent is executed once at most.
func (h *History) Check() Verdict {
	c := &checker{h: h, byToken: map[string][]Execution{}, sent: map[string]bool{}, executions: map[string]Execution{}}
	c.RepeatedKeyed, c.RepeatedOther, c.Calls = map[Kind]int{}, map[Kind]int{}, map[string]int{}
	for _, x := range sorted(h.Executions) {
		c.byToken[x.Token] = append(c.byToken[x.Token], x)
		if _, twice := c.executions[x.ID]; twice {
			c.wrong("two executions are called %s", x.ID)
		}
		c.executions[x.ID] = x
	}
	c.checkEnqueued()
	c.checkSeen()
	c.checkExecutions()
	c.checkEffects()
	c.checkCalls()
	for _, x := range h.Executions {
		if !c.sent[x.Token] {
			c.wrong("%s was executed by %s, but nobody has sent it", x.Token, x.Worker)
		}
	}
	return c.Verdict
}

type checker struct {
	h *History
	Verdict
	byToken    map[string][]Execution
	executions map[string]Execution
	sent       map[string]bool     // the tokens of everything that was sent
	tokens     map[string]Enqueued // by ID
}

func (c *checker) wrong(format string, args ...any) {
	c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
}

func (c *checker) checkEnqueued() {
	ids := map[string]string{} // by key
	c.tokens = map[string]Enqueued{}
	for _, e := range c.h.Enqueued {
		c.Attempts++
		c.sent[e.Token] = true
		switch {
		case e.Status == 503:
			c.Refused++
			continue
		case e.Status == 0:
			c.Unanswered++
			if !c.h.unanswered(e.At, e.At.Add(e.Took)) {
				c.wrong("enqueuing %s at %s had no response after %v, although no HTTP server was killed: %s", e.Token, clock(e.At), e.Took.Round(time.Millisecond), e.Error)
			}
			continue
		case !e.Accepted():
			c.wrong("enqueuing %s was answered with %d", e.Token, e.Status)
			continue
		case e.ID == "":
			c.wrong("%s was accepted without an ID", e.Token)
			continue
		}
		if e.Key != "" {
			if id, ok := ids[e.Key]; ok && id != e.ID {
				c.wrong("key %s has the IDs %s and %s", e.Key, id, e.ID)
			} else if ok {
				c.Suppressed++
				continue
			}
			ids[e.Key] = e.ID
		}
		if other, ok := c.tokens[e.ID]; ok {
			c.wrong("ID %s belongs to %s and to %s", e.ID, other.Token, e.Token)
			continue
		}
		c.tokens[e.ID] = e
		c.Accepted++
		c.checkDone(e)
	}
}

// checkDone checks that an accepted task was executed to its end.
func (c *checker) checkDone(e Enqueued) {
	for _, x := range c.byToken[e.Token] {
		if !x.End.IsZero() {
			return
		}
	}
	c.wrong("LOST: %s (ID %s), accepted at %s, has %d executions, none of which came to its end", e.Token, e.ID, clock(e.At), len(c.byToken[e.Token]))
}

func (c *checker) checkSeen() {
	first := map[string]Seen{} // those that are done
	for _, s := range c.h.Seen {
		e, ok := c.tokens[s.ID]
		switch {
		case !ok:
			c.wrong("the state of ID %s was asked for, which was not accepted", s.ID)
			continue
		case s.State != Done:
			continue
		}
		if before, ok := first[s.ID]; ok && before.Result != s.Result {
			c.wrong("the result of %s was that of execution %s, later that of %s", e.Token, before.Result.Execution, s.Result.Execution)
		} else if !ok {
			first[s.ID] = s
		}
		c.checkResult(e.Token, e.Sum, s.Result)
	}
	for id, e := range c.tokens {
		s, ok := first[id]
		if !ok {
			c.wrong("UNKNOWN: %s (ID %s), accepted at %s, was not done when the trial ended", e.Token, id, clock(e.At))
			continue
		}
		for _, x := range c.byToken[e.Token] {
			if e.Key != "" && x.Begin.After(s.At) {
				c.wrong("%s was executed by %s %v after it was seen to be done", e.Token, x.Worker, x.Begin.Sub(s.At))
			}
		}
	}
}

// checkResult checks that r is the result of the task with this token, whose input has this sum.
func (c *checker) checkResult(token, sum string, r Result) {
	x, ok := c.executions[r.Execution]
	switch {
	case r.Token != token:
		c.wrong("WRONG RESULT: %s has got that of %s", token, r.Token)
	case !ok:
		c.wrong("the result of %s is of execution %q, which no worker has noted", token, r.Execution)
	case x.Token != token:
		c.wrong("the result of %s is of execution %s, which was of %s", token, r.Execution, x.Token)
	case r.Sum != sum:
		c.wrong("the input of %s was changed on its way to execution %s", token, r.Execution)
	case x.End.IsZero():
		c.wrong("the result of %s is of execution %s, which did not come to its end", token, r.Execution)
	}
}

func (c *checker) checkExecutions() {
	seen := map[string]bool{}
	for _, e := range c.h.Enqueued {
		if seen[e.Token] {
			continue
		}
		seen[e.Token] = true
		repeated := c.RepeatedOther
		if e.Key != "" {
			repeated = c.RepeatedKeyed
		}
		all := c.byToken[e.Token]
		c.Executions += len(all)
		for i, x := range all {
			if x.End.IsZero() {
				c.Cut++
			}
			if i == 0 {
				continue
			}
			kind := c.h.excuse(all[i-1], x)
			if kind == "" {
				c.wrong("%s was executed by %s at %s, and again by %s at %s, without a fault between", e.Token, all[i-1].Worker, clock(all[i-1].Begin), x.Worker, clock(x.Begin))
			}
			repeated[kind]++
		}
	}
}

func (c *checker) checkEffects() {
	counted := map[string]bool{}
	for _, e := range c.tokens {
		if e.Key == "" {
			continue
		}
		counted[e.Key] = true
		if n := c.h.Effects[e.Key]; n != 1 {
			c.wrong("the effect of key %s took place %d times", e.Key, n)
		}
	}
	c.Effects = len(counted)
}

func (c *checker) checkCalls() {
	for _, call := range c.h.Calls {
		c.sent[call.Token] = true
		all := c.byToken[call.Token]
		if call.Served > call.Limit+slack {
			c.wrong("call %s, sent at %s, took %v, but its limit was %v: %d %s", call.Token, clock(call.At), call.Served.Round(time.Millisecond), call.Limit, call.Status, call.Error)
		}
		if call.Status == 0 && !c.h.unanswered(call.At, call.At.Add(call.Took)) {
			c.wrong("call %s, sent at %s, had no response after %v, although no HTTP server was killed: %s", call.Token, clock(call.At), call.Took.Round(time.Millisecond), call.Error)
		}
		how, ok := ends[call.Status]
		if !ok {
			c.wrong("call %s was answered with %d: %s", call.Token, call.Status, call.Error)
			continue
		}
		c.Calls[how]++
		if call.Status == 200 {
			c.checkResult(call.Token, call.Sum, call.Result)
		}
		switch {
		case len(all) < 2:
		case call.Idempotent:
			c.Retried++
		default:
			c.wrong("call %s is not idempotent, but was executed %d times: by %s and %s", call.Token, len(all), all[0].Worker, all[1].Worker)
		}
	}
}

// ends are the statuses with which a call may be answered.
var ends = map[int]string{
	0:   "no response",
	200: "right",
	502: "worker lost",
	503: "refused",
	504: "too late",
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
