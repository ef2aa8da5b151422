package recyclingnats

import (
	"strings"
	"testing"
	"time"
)

func TestMessagesAreSentToInboxesOnly(t *testing.T) {
	c := Config{Name: "tasks"}
	for subject, want := range map[string]bool{
		"_INBOX.a.b": true, "_INBOX_user.a.b": true, "tasks2.inbox.a": true, "tasks": true,
		"": false, "$JS.API.STREAM.DELETE.tasks-jobs": false, "$SYS.a": false, "tasks.job.default.a.b": false,
		"tasks.roll.default": false, "a b": false, "a\r\nPUB b 0": false, "a.*": false, "a.>": false, ".a": false, "a.": false,
		"a..b": false, strings.Repeat("a", 300): false, "a\x00": false, "é": false,
	} {
		if got := c.validReply(subject); got != want {
			t.Errorf("%q: %v, want %v", subject, got, want)
		}
	}
}

func TestWorkerReportsThreeTimesWithinAckWait(t *testing.T) {
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 30 * time.Second} {
		w := &Worker{client: &Client{c: Config{AckWait: wait}}}
		if d := w.interval(); d > wait/3 || d > beatEvery {
			t.Errorf("AckWait is %v and the interval %v", wait, d)
		}
	}
}
