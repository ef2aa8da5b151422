package history

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// at returns the time after so many seconds.
func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

// right returns a history in which all is well: a task with a key, which was sent twice, one
// without, one that was not answered, and two calls.
func right() *History {
	return &History{
		Enqueued: []Enqueued{
			{Token: "k", Key: "key", Sum: "s", At: at(1), Status: 202, ID: "1"},
			{Token: "k", Key: "key", Sum: "s", At: at(2), Status: 202, ID: "1"},
			{Token: "n", Sum: "s", At: at(3), Status: 202, ID: "2"},
			{Token: "u", Sum: "s", At: at(4)},
			{Token: "r", Sum: "s", At: at(4), Status: 503},
		},
		Seen: []Seen{
			{ID: "1", At: at(5), State: "running"},
			{ID: "1", At: at(10), State: Done, Result: Result{Token: "k", Execution: "xk", Sum: "s"}},
			{ID: "1", At: at(11), State: Done, Result: Result{Token: "k", Execution: "xk", Sum: "s"}},
			{ID: "2", At: at(10), State: Done, Result: Result{Token: "n", Execution: "xn", Sum: "s"}},
		},
		Calls: []Call{
			{Token: "c", Idempotent: true, Sum: "s", At: at(1), Limit: time.Second, Took: time.Second / 2, Status: 200, Result: Result{Token: "c", Execution: "xc", Sum: "s"}},
			{Token: "o", Sum: "s", At: at(1), Limit: time.Second, Took: time.Second / 2, Status: 502, Error: "lost"},
		},
		Executions: []Execution{
			{ID: "xk", Token: "k", Key: "key", Worker: "host1/worker0#1", Begin: at(2), End: at(3)},
			{ID: "xn", Token: "n", Worker: "host1/worker0#1", Begin: at(4), End: at(5)},
			{ID: "xu", Token: "u", Worker: "host2/worker0#1", Begin: at(4), End: at(5)},
			{ID: "xc", Token: "c", Worker: "host2/worker0#1", Begin: at(1), End: at(1.4)},
			{ID: "xo", Token: "o", Worker: "host2/worker0#1", Begin: at(1)},
		},
		Faults:  []Fault{{Kind: KillServer, Target: "front/server0#1", From: at(4), To: at(4.5)}},
		Effects: map[string]int{"key": 1},
		End:     at(20),
	}
}

func TestRightHistory(t *testing.T) {
	v := right().Check()
	if len(v.Wrong) != 0 {
		t.Errorf("wrong: %q", v.Wrong)
	}
	if v.Accepted != 2 || v.Attempts != 5 || v.Refused != 1 || v.Unanswered != 1 || v.Suppressed != 1 || v.Executions != 3 || v.Cut != 0 || v.Effects != 1 {
		t.Errorf("counts are %+v", v)
	}
	if v.Calls["right"] != 1 || v.Calls["worker lost"] != 1 || v.Retried != 0 {
		t.Errorf("calls are %v, %d retried", v.Calls, v.Retried)
	}
}

// Each entry spoils a right history in one way, and Check must say so.
func TestWrongHistories(t *testing.T) {
	again := func(h *History, token string, seconds float64) {
		i := slices.IndexFunc(h.Executions, func(x Execution) bool { return x.Token == token })
		x := h.Executions[i]
		x.ID, x.Worker, x.Begin, x.End = "again", "host3/worker0#1", at(seconds), at(seconds+1)
		h.Executions = append(h.Executions, x)
	}
	for name, c := range map[string]struct {
		spoil func(*History)
		want  string
	}{
		"never executed":         {func(h *History) { h.Executions = slices.Delete(h.Executions, 1, 2) }, "LOST: n"},
		"execution not ended":    {func(h *History) { h.Executions[0].End = time.Time{} }, "LOST: k"},
		"not done":               {func(h *History) { h.Seen = h.Seen[:3] }, "UNKNOWN: n"},
		"still running":          {func(h *History) { h.Seen[3].State = "running" }, "UNKNOWN: n"},
		"result of another":      {func(h *History) { h.Seen[3].Result = h.Seen[1].Result }, "WRONG RESULT: n has got that of k"},
		"result of no execution": {func(h *History) { h.Seen[3].Result.Execution = "?" }, "no worker has noted"},
		"another's execution":    {func(h *History) { h.Seen[3].Result.Execution = "xk" }, "which was of k"},
		"input changed":          {func(h *History) { h.Seen[3].Result.Sum = "?" }, "was changed"},
		"result changes": {func(h *History) {
			again(h, "k", 4)
			h.Faults = []Fault{{Kind: KillWorker, Target: "host1/worker0#1", From: at(3.5), To: at(3.5)}}
			h.Seen[2].Result.Execution = "again"
		}, "the result of k was that of execution xk, later that of again"},
		"two IDs for a key":     {func(h *History) { h.Enqueued[1].ID = "3" }, "key key has the IDs 1 and 3"},
		"one ID for two":        {func(h *History) { h.Enqueued[2].ID = "1" }, "ID 1 belongs to k and to n"},
		"no ID":                 {func(h *History) { h.Enqueued[2].ID = "" }, "without an ID"},
		"no response":           {func(h *History) { h.Faults = nil }, "enqueuing u at 12:00:04.000 had no response"},
		"call without response": {func(h *History) { h.Faults = nil; h.Calls[1].Status = 0 }, "call o, sent at 12:00:01.000, had no response"},
		"strange status":        {func(h *History) { h.Enqueued[3].Status = 500 }, "answered with 500"},
		"unknown ID":            {func(h *History) { h.Seen[3].ID = "9" }, "which was not accepted"},
		"executed after done":   {func(h *History) { again(h, "k", 12) }, "after it was seen to be done"},
		"twice without reason":  {func(h *History) { again(h, "k", 4) }, "without a fault between"},
		"twice without key":     {func(h *History) { again(h, "n", 6) }, "without a fault between"},
		"fault of another worker": {func(h *History) {
			again(h, "k", 4)
			h.Faults = []Fault{{Kind: KillWorker, Target: "host2/worker0#1", From: at(3.5), To: at(3.5)}}
		}, "without a fault between"},
		"fault too late":  {func(h *History) { again(h, "k", 4); h.Faults = []Fault{{Kind: KillNATS, From: at(6), To: at(7)}} }, "without a fault between"},
		"fault too early": {func(h *History) { again(h, "k", 4); h.Faults = []Fault{{Kind: KillNATS, From: at(-200), To: at(-100)}} }, "without a fault between"},
		"replacement": {func(h *History) {
			again(h, "k", 4)
			h.Faults = []Fault{{Kind: Replace, Target: "host1/worker0#1", From: at(3), To: at(4)}}
		}, "without a fault between"},
		"no effect":              {func(h *History) { h.Effects = nil }, "took place 0 times"},
		"two effects":            {func(h *History) { h.Effects["key"] = 2 }, "took place 2 times"},
		"executed, never sent":   {func(h *History) { h.Executions[1].Token = "x" }, "nobody has sent it"},
		"same execution twice":   {func(h *History) { h.Executions = append(h.Executions, h.Executions[0]) }, "two executions are called xk"},
		"call with wrong result": {func(h *History) { h.Calls[0].Result.Token = "k" }, "WRONG RESULT: c has got that of k"},
		"call with wrong sum":    {func(h *History) { h.Calls[0].Result.Sum = "?" }, "was changed"},
		"call too late":          {func(h *History) { h.Calls[1].Served = time.Minute }, "its limit was 1s"},
		"call with strange end":  {func(h *History) { h.Calls[1].Status = 500 }, "was answered with 500"},
		"not idempotent, twice":  {func(h *History) { again(h, "o", 2) }, "executed 2 times"},
	} {
		h := right()
		c.spoil(h)
		v := h.Check()
		if !slices.ContainsFunc(v.Wrong, func(s string) bool { return strings.Contains(s, c.want) }) {
			t.Errorf("%s: wrong is %q, want %q in it", name, v.Wrong, c.want)
		}
	}
}

func TestFaultsExcuseRepetition(t *testing.T) {
	for kind, target := range map[Kind]string{KillWorker: "host1/worker0#1", PauseWorker: "host1/worker0#1", Cut: "host1", KillNATS: "host3/nats#1", FullDisk: "host3"} {
		h := right()
		for _, token := range []string{"k", "n"} {
			x := Execution{ID: token + "2", Token: token, Worker: "host2/worker0#1", Begin: at(7), End: at(8)}
			h.Executions = append(h.Executions, x)
		}
		h.Faults = append(h.Faults, Fault{Kind: kind, Target: target, From: at(4.5), To: at(5.5)})
		v := h.Check()
		if len(v.Wrong) != 0 || v.RepeatedKeyed[kind] != 1 || v.RepeatedOther[kind] != 1 {
			t.Errorf("%s: wrong is %q, repeated are %v and %v", kind, v.Wrong, v.RepeatedKeyed, v.RepeatedOther)
		}
	}
}

func TestLedgerKeepsWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLedger(dir + "/a.ledger")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{l.Begin(Execution{ID: "1", Token: "a", Key: "k", Worker: "w"}), l.Begin(Execution{ID: "2", Token: "b", Worker: "w"}), l.End("1")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenLedger(dir + "/a.ledger"); err == nil {
		t.Error("a second process may use the same ledger")
	}
	all, err := ReadLedgers(dir + "/*.ledger")
	if err != nil || len(all) != 2 {
		t.Fatalf("read %v, %v", all, err)
	}
	if x := all[0]; x.Token != "a" || x.Key != "k" || x.Worker != "w" || x.End.Before(x.Begin) {
		t.Errorf("the first execution is %+v", x)
	}
	if x := all[1]; x.Token != "b" || !x.End.IsZero() {
		t.Errorf("the second execution is %+v, want one without an end", x)
	}
	if err := l.End("3"); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLedgers(dir + "/*.ledger"); err == nil {
		t.Error("an end without a beginning was read")
	}
}
