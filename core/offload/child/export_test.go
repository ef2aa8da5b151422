package child

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
)

// ServeOn is Serve on pipes other than the standard ones.
func ServeOn(in io.Reader, out io.Writer, f func([]byte) ([]byte, error)) error {
	return newServer(in, out).serve(f)
}

// WatchDelay is how long a task runs before the end of the parent is noticed.
const WatchDelay = watchDelay

// SetOrphanTime changes how long a task may continue after the parent has died.
func SetOrphanTime(d time.Duration) { orphanTime = d }

// SetExit changes what is called to end the process, and returns a function that restores it.
func SetExit(f func(status int)) (restore func()) {
	exit = f
	return func() { exit = os.Exit }
}

// ServeTasksOn is ServeTasks on pipes other than the standard ones.
func ServeTasksOn(in io.Reader, out io.Writer, tasks *task.Set) error {
	return newTaskServer(context.Background(), in, out, tasks).serve()
}

// Exchange runs a job in a child that sends these bytes, whatever it is sent.
func Exchange(ctx context.Context, j *task.Job, input, sends []byte) (task.Outcome, error) {
	p := &Process{asked: 1, in: sender{w: io.Discard}, out: newReader(bytes.NewReader(sends))}
	p.c.MaxAnswer = 1 << 20
	r := runner{p: p, ctx: ctx, job: j, limit: p.limit(ctx)}
	defer r.limit.lift()
	return r.exchange(input)
}

// SentToLateTask is what a child gets of a job whose context has ended, and whose cancellation is
// over, when the job is sent.
func SentToLateTask(ctx context.Context, j *task.Job, input []byte) []byte {
	var sent bytes.Buffer
	p := &Process{asked: 1, in: sender{w: &sent}, out: newReader(new(bytes.Reader))}
	p.c.Grace, p.c.MaxAnswer = time.Hour, 1<<20
	l := &limit{p: p, id: p.asked, stop: func() bool { return false }}
	defer l.lift()
	l.arm()
	(&runner{p: p, ctx: ctx, job: j, limit: l}).exchange(input)
	return sent.Bytes()
}

// Greet is the parent's side until the child, which sends these bytes, is ready.
func Greet(sends []byte) error {
	p := &Process{cmd: &exec.Cmd{Process: &os.Process{}}, in: sender{w: io.Discard}, out: newReader(bytes.NewReader(sends))}
	_, err := p.greet([]string{"echo"}, func(int, string) {})
	return err
}

// Kinds of frames, for tests.
const (
	Setup   = uint32(setup)
	Warming = uint32(warming)
	Ask     = uint32(ask)
	Cancel  = uint32(cancel)
	Credit  = uint32(credit)
	Chunk   = uint32(chunk)
	Outcome = uint32(outcome)
	Store   = uint32(store)
)

// Question returns the payload of a frame ask.
func Question(left time.Duration, maxAnswer uint32, name, input string) []byte {
	q := question{left: left, maxAnswer: maxAnswer, name: name}
	return append(q.append(nil), input...)
}

// SetupFor returns the payload of a frame setup.
func SetupFor(names ...string) []byte { return appendSetup(nil, names) }

// Encode returns the payload of a frame outcome.
func Encode(o task.Outcome) []byte { return append(appendOutcome(nil, &o), o.Output...) }

// Decode returns the outcome that Encode has encoded.
func Decode(b []byte) (task.Outcome, error) { return parseOutcome(b) }
