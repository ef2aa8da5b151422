package recyclingnats

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	request1 := request{inbox: "_INBOX.a.b", attempt: 3, remaining: 5 * time.Second, direct: true, parts: 0, input: []byte("in")}
	var request2 request
	if err := request2.decode(request1.encode()); err != nil || !reflect.DeepEqual(request1, request2) {
		t.Errorf("request is %+v, %v; want %+v", request2, err, request1)
	}
	frame1 := frame{kind: frameChunk, attempt: 1 << 40, n: 7, data: []byte{0, 1}}
	var frame2 frame
	if err := frame2.decode(frame1.encode()); err != nil || !reflect.DeepEqual(frame1, frame2) {
		t.Errorf("frame is %+v, %v; want %+v", frame2, err, frame1)
	}
	order1 := order{kind: orderPart, n: math.MaxUint64, data: []byte("part")}
	var order2 order
	if err := order2.decode(order1.encode()); err != nil || !reflect.DeepEqual(order1, order2) {
		t.Errorf("order is %+v, %v; want %+v", order2, err, order1)
	}
	job1 := job{enqueued: time.UnixMilli(1234567890123), object: "a.b", input: []byte{}}
	var job2 job
	if err := job2.decode(job1.encode()); err != nil || !reflect.DeepEqual(job1, job2) {
		t.Errorf("job is %+v, %v; want %+v", job2, err, job1)
	}
	outcome1 := task.Outcome{Kind: task.Panicked, Code: "c", Message: "m", Stack: []byte("s")}
	outcome2, err := decodeOutcome(encodeOutcome(&outcome1, []byte("out")))
	outcome1.Output = []byte("out")
	if err != nil || !reflect.DeepEqual(outcome1, outcome2) {
		t.Errorf("outcome is %+v, %v; want %+v", outcome2, err, outcome1)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	o := task.Outcome{Kind: task.Failed, Code: strings.Repeat("c", 1<<20), Message: strings.Repeat("m", 1<<20), Stack: make([]byte, 1<<20)}
	if n := len(encodeOutcome(&o, nil)); n > 2*maxText+maxCode+100 {
		t.Errorf("the outcome has %d bytes", n)
	}
}

func TestRemainingTimeIsNeverNone(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		-time.Second: 0, 0: 0, 1: time.Microsecond, time.Second + 1: time.Second, math.MaxInt64: math.MaxInt64 / 1000 * 1000,
	} {
		if got := duration(micros(d)); got != want {
			t.Errorf("%v arrives as %v, want %v", d, got, want)
		}
	}
	if d := duration(math.MaxUint64); d != 0 {
		t.Errorf("a time that is too long arrives as %v, want no limit", d)
	}
}

// FuzzDecode checks that no message from outside can do more than be refused.
func FuzzDecode(f *testing.F) {
	r := request{inbox: "i", attempt: 1, input: []byte("x")}
	f.Add(r.encode())
	f.Add((&frame{kind: frameResult, attempt: 1, n: 2, data: []byte("x")}).encode())
	f.Add(order{kind: orderGrant, n: 1}.encode())
	f.Add((&job{object: "o"}).encode())
	f.Add([]byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r request
		if r.decode(b) == nil && r.remaining < 0 {
			t.Errorf("remaining is %v", r.remaining)
		}
		var fr frame
		if fr.decode(b) == nil {
			var again frame
			if err := again.decode(fr.encode()); err != nil || again.kind != fr.kind || again.attempt != fr.attempt ||
				again.n != fr.n || !bytes.Equal(again.data, fr.data) {
				t.Errorf("frame %+v became %+v, %v", fr, again, err)
			}
		}
		var o order
		_ = o.decode(b)
		var j job
		_ = j.decode(b)
		out, err := decodeOutcome(b)
		if err == nil && len(out.Output)+len(out.Message)+len(out.Code)+len(out.Stack) > len(b) {
			t.Error("the outcome is larger than its message")
		}
	})
}
