package embedded_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func message(subject string, data []byte, h nats.Header) *nats.Msg {
	return &nats.Msg{Subject: subject, Data: data, Header: h}
}

// request returns a call as a client sends it.
func request(inbox, input string) []byte {
	b := append([]byte{1, 0, 1, 0, 0}, byte(len(inbox)))
	return append(append(b, inbox...), input...)
}

func TestHostileMessagesAreDropped(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	var trained atomic.Int64
	double := task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, task.Options{})
	task.Register(&tasks, "train", func(_ context.Context, n int) (int, error) { return int(trained.Add(1)), nil },
		task.Options{Slots: offload.Slots{"GPU": 1}})
	client := connect(t, recyclingnats.Config{})
	js, err := jetstream.New(client.Conn())
	if err != nil {
		t.Fatal(err)
	}
	id := enqueue(t, client, double, 1, "key") // an id that a message with a wildcard may mean
	status := nats.Header{"Status": {"404"}}
	for _, m := range []*nats.Msg{
		message("tasks.job.default", []byte("x"), nil),
		message("tasks.job.default.double", []byte("x"), nil),
		message("tasks.job.default.double.a.b", []byte("x"), nil),
		message("tasks.job.default.double."+strings.Repeat("a", 100), []byte("x"), nil),
		message("tasks.job.default.double.*", []byte("x"), nil),
		message("tasks.job.default.*.*", nil, nil),
		message("tasks.job.default.double.empty", nil, nil),
		message("tasks.job.default.double.status", nil, status),
		message("tasks.job.default.double.status2", []byte("x"), status),
		message("tasks.call.default", []byte("x"), nil),
		message("tasks.call.default.double", nil, nil),
		message("tasks.call.default.double", nil, status),
		message("tasks.call.default.double", []byte("x"), nil),
		message("tasks.call.default.double.a", request("_INBOX.x", "1"), nil),
		message("tasks.call.default.double", request("$JS.API.STREAM.DELETE.tasks-jobs", "1"), nil),
		message("tasks.call.default.double", request("tasks.job.default.double.forged", "1"), nil),
		message("tasks.call.default.double", request("a 0\r\n\r\nPUB $JS.API.STREAM.DELETE.tasks-jobs", "1"), nil),
		message("tasks.call.default.double", request("", "1"), nil),
		message("tasks.call.default.double", request("_INBOX.nobody", "1"), nil),
		message("tasks.call.default.train", request("_INBOX.nobody", "1"), nil),
	} {
		m.Reply = "x.confirm"
		if err := client.Conn().PublishMsg(m); err != nil {
			t.Fatalf("%s: %v", m.Subject, err)
		}
	}
	serve(t, client, &tasks, recyclingnats.WorkerConfig{Workers: 1, Slots: offload.Slots{"GPU": 1}})
	await(t, client, id, recyclingnats.Done)
	if n, err := double.Do(t.Context(), client, 21); n != 42 || err != nil {
		t.Errorf("got %d, %v; want 42", n, err)
	}
	empty := func(stream string) bool {
		s, err := js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().State.Consumers > 0 && only(t, s, "tasks.job.default", "tasks.call.default")
	}
	for limit := time.Now().Add(30 * time.Second); !empty("tasks-jobs") || !empty("tasks-calls"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("messages are left in the streams")
		}
	}
	if trained.Load() != 0 {
		t.Error("a task that needs slots was run by a group that takes none")
	}
}

// only reports whether a stream has no other subjects, which no consumer gets.
func only(t *testing.T, s jetstream.Stream, subjects ...string) bool {
	t.Helper()
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range subjects {
		delete(info.State.Subjects, name)
	}
	return len(info.State.Subjects) == 0
}
