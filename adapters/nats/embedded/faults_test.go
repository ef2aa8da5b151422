package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload/task"
)

// A gate is a server whose connections send and receive nothing while it is locked, as if their
// process had been stopped.
type gate struct {
	recyclingnats.Server
	sync.RWMutex
}

func (*gate) Close() {}

func (g *gate) InProcessConn() (net.Conn, error) {
	c, err := g.Server.InProcessConn()
	return gatedConn{c, g}, err
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.gate.RLock()
	defer c.gate.RUnlock()
	return n, err
}

func (c gatedConn) Write(b []byte) (int, error) {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return c.Conn.Write(b)
}

// A pausable is two workers, of which the first can be paused while it has a task.
type pausable struct {
	client *recyclingnats.Client
	gate   *gate
	paused *recyclingnats.Client
	begun  chan chan error // one for each run, which returns what it receives
	tasks  task.Set
	held   *task.Task[[]byte, int]
	other  *task.Task[int, int]
	stop   func() // ends the first worker
}

func newPausable(t *testing.T, c recyclingnats.Config) *pausable {
	t.Helper()
	s, err := embedded.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	p := &pausable{gate: &gate{Server: s}, begun: make(chan chan error, 10)}
	p.held = task.Register(&p.tasks, "held", func(_ context.Context, b []byte) (int, error) {
		let := make(chan error)
		p.begun <- let
		return len(b), <-let
	}, task.Options{Encoding: mixed{}})
	p.other = task.Register(&p.tasks, "other", func(_ context.Context, n int) (int, error) { return n, nil }, task.Options{})
	open := func(s recyclingnats.Server) *recyclingnats.Client {
		c.Embedded = func(string) (recyclingnats.Server, error) { return s, nil }
		client, err := recyclingnats.Connect(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	p.client, p.paused = open(shared{s}), open(p.gate)
	p.stop = sync.OnceFunc(startWorker(t, p.paused, &p.tasks, recyclingnats.WorkerConfig{}))
	t.Cleanup(p.stop)
	return p
}

func (p *pausable) next(t *testing.T) chan error {
	t.Helper()
	select {
	case let := <-p.begun:
		return let
	case <-time.After(30 * time.Second):
		t.Fatal("no task has begun")
		return nil
	}
}

func TestAttemptThatFailsLateDoesNotDisturbTheNext(t *testing.T) {
	t.Parallel()
	p := newPausable(t, recyclingnats.Config{AckWait: 2 * time.Second, Backoff: time.Millisecond})
	id := enqueue(t, p.client, p.held, []byte("in"), "")
	first := p.next(t)
	p.gate.Lock()
	serve(t, p.client, &p.tasks, recyclingnats.WorkerConfig{Workers: 2})
	second := p.next(t)
	p.gate.Unlock()
	first <- errors.New("late")
	p.stop()
	await(t, p.client, enqueue(t, p.client, p.other, 1, ""), recyclingnats.Done)
	if s, err := p.client.Status(t.Context(), id); err != nil || s.State != recyclingnats.Running || s.Attempt != 2 {
		t.Errorf("status is %+v, %v; want that the second attempt runs", s, err)
	}
	if len(p.begun) > 0 {
		t.Error("a third attempt has begun while the second runs")
	}
	second <- nil
	await(t, p.client, id, recyclingnats.Done)
}

func TestTaskThatWasGivenUpIsDoneIfItsWorkerComesBack(t *testing.T) {
	t.Parallel()
	p := newPausable(t, recyclingnats.Config{AckWait: time.Second, Attempts: 1})
	large := make([]byte, 1<<20)
	id := enqueue(t, p.client, p.held, large, "key")
	first := p.next(t)
	p.gate.Lock()
	serve(t, p.client, &p.tasks, recyclingnats.WorkerConfig{})
	await(t, p.client, id, recyclingnats.Dead)
	p.gate.Unlock()
	first <- nil
	await(t, p.client, id, recyclingnats.Done)
	p.stop()
	if list := letters(t, p.client); len(list) != 0 {
		t.Errorf("dead letters are %+v, want none", list)
	}
	if out, err := p.client.Result(t.Context(), id); err != nil || string(out) != decimal(uint64(len(large))) {
		t.Errorf("result is %q, %v", out, err)
	}
	if n := objects(t, p.client, "tasks-inputs"); n != 0 {
		t.Errorf("%d inputs are left", n)
	}
}

// buried returns a client with a dead letter, whose task succeeds from now on, and the means to
// look behind.
func buried(t *testing.T, input []byte, key string) (*recyclingnats.Client, *task.Set, *task.Task[[]byte, int], string, jetstream.JetStream) {
	t.Helper()
	var tasks task.Set
	var runs atomic.Int64
	fails := task.Register(&tasks, "fails", func(_ context.Context, b []byte) (int, error) {
		if runs.Add(1) == 1 {
			return 0, errors.New("no")
		}
		return len(b), nil
	}, task.Options{Encoding: mixed{}})
	client := connect(t, recyclingnats.Config{Attempts: 1})
	stop := startWorker(t, client, &tasks, recyclingnats.WorkerConfig{})
	id := enqueue(t, client, fails, input, key)
	await(t, client, id, recyclingnats.Dead)
	stop()
	js, err := jetstream.New(client.Conn())
	if err != nil {
		t.Fatal(err)
	}
	return client, &tasks, fails, id, js
}

// mixed encodes bytes as they are, and everything else as JSON.
type mixed struct{}

func (mixed) Marshal(v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	return task.JSON.Marshal(v)
}

func (mixed) Unmarshal(b []byte, v any) error {
	if p, ok := v.(*[]byte); ok {
		*p = b
		return nil
	}
	return task.JSON.Unmarshal(b, v)
}

// last returns the message of an id in a stream.
func last(t *testing.T, js jetstream.JetStream, stream, subject string) (jetstream.Stream, *jetstream.RawStreamMsg) {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

// The worker that made the dead letter has not ended its message yet.
func TestRetriedDeadLetterSurvivesTheEndOfItsOldMessage(t *testing.T) {
	t.Parallel()
	client, tasks, _, id, js := buried(t, []byte("in"), "")
	dead, letter := last(t, js, "tasks-dead", "tasks.dead.*.*."+id)
	old, err := js.Publish(t.Context(), "tasks.job.default.fails."+id, letter.Data)
	if err != nil {
		t.Fatal(err)
	}
	// The letter says which message it is a copy of.
	again := letter.Header
	again.Set("Place", decimal(old.Sequence))
	if err := dead.DeleteMsg(t.Context(), letter.Sequence); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), message(letter.Subject, letter.Data, again)); err != nil {
		t.Fatal(err)
	}
	if err := client.RetryDead(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	jobs, err := js.Stream(t.Context(), "tasks-jobs")
	if err != nil {
		t.Fatal(err)
	}
	_ = jobs.DeleteMsg(t.Context(), old.Sequence) // as its acknowledgement does
	serve(t, client, tasks, recyclingnats.WorkerConfig{})
	await(t, client, id, recyclingnats.Done)
}

// RetryDead was interrupted before it deleted the letter.
func TestDeletingADeadLetterThatWasRetriedKeepsTheInput(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 1<<20)
	client, tasks, _, id, js := buried(t, large, "")
	_, letter := last(t, js, "tasks-dead", "tasks.dead.*.*."+id)
	if err := client.RetryDead(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), message(letter.Subject, letter.Data, letter.Header)); err != nil {
		t.Fatal(err)
	}
	if err := client.DeleteDead(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	serve(t, client, tasks, recyclingnats.WorkerConfig{})
	await(t, client, id, recyclingnats.Done)
}

func TestDeadLetterThatIsBeingDeletedCannotBeRetried(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 1<<20)
	client, _, _, id, js := buried(t, large, "")
	_, letter := last(t, js, "tasks-dead", "tasks.dead.*.*."+id)
	if err := client.DeleteDead(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), message(letter.Subject, letter.Data, letter.Header)); err != nil {
		t.Fatal(err)
	}
	if err := client.RetryDead(t.Context(), id); !errors.Is(err, recyclingnats.ErrNotFound) {
		t.Errorf("error is %v, want ErrNotFound", err)
	}
}

// RetryDead was interrupted before it enqueued the task, and the letter was deleted.
func TestKeyIsEnqueuedAgainIfItsTaskIsNowhere(t *testing.T) {
	t.Parallel()
	client, tasks, fails, id, js := buried(t, []byte("in"), "key")
	if err := client.RetryDead(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	jobs, m := last(t, js, "tasks-jobs", "tasks.job.*.*."+id)
	if err := jobs.DeleteMsg(t.Context(), m.Sequence); err != nil {
		t.Fatal(err)
	}
	if again := enqueue(t, client, fails, []byte("in"), "key"); again != id {
		t.Errorf("id is %s, want %s", again, id)
	}
	serve(t, client, tasks, recyclingnats.WorkerConfig{})
	await(t, client, id, recyclingnats.Done)
}
