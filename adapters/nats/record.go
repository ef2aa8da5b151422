package recyclingnats

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload/task"
)

// A State is that of an enqueued task.
type State string

const (
	Queued  State = "queued"  // it waits for a worker
	Running State = "running" // an attempt runs, or its worker was lost and that is not known yet
	Failed  State = "failed"  // the last attempt failed, and the task waits for the next
	Done    State = "done"    // it has returned
	Dead    State = "dead"    // it was given up, and is a dead letter
)

// final reports whether the task is not to be run.
func (s State) final() bool { return s == Done || s == Dead }

// A record is the state of an enqueued task in the bucket, by the task's id. It is written before
// the message is acknowledged, so that a task is always in the stream, or in a final state here, or
// both. Every write compares the revision.
type record struct {
	Task    string    `json:"task"`
	State   State     `json:"state"`
	Attempt int       `json:"attempt,omitempty"` // the last that has begun, counted from one
	Kind    task.Kind `json:"kind,omitempty"`    // of the outcome of the last attempt that ended
	Code    string    `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
	Output  []byte    `json:"output,omitempty"`
	Object  string    `json:"object,omitempty"`  // where a large output is
	Changed time.Time `json:"changed"`           // by the clock of the machine that wrote it
	Deleted bool      `json:"deleted,omitempty"` // the dead letter was deleted, and cannot be retried

	revision uint64 // zero if there is none yet
}

// complete makes the record that of a task that is done, unless it is that already. A task that was
// given up while a worker that had disappeared still ran it is done after all. The output is in the
// object, if that has a name. kept reports whether the record has this output: it may have it
// already, if an earlier write of it was done but got no answer.
func (r *record) complete(name string, attempt int, output []byte, object string) (changed, kept bool) {
	if r.State == Done {
		return false, object != "" && r.Object == object
	}
	r.Task, r.State, r.Attempt, r.Kind = name, Done, max(r.Attempt, attempt), task.Returned
	r.Code, r.Message, r.Output, r.Object, r.Deleted = "", "", output, object, false
	if object != "" {
		r.Output = nil
	}
	return true, true
}

// A job is the message of an enqueued task.
type job struct {
	enqueued time.Time // by the clock of the machine that enqueued it
	object   string    // where a large input is
	input    []byte    // otherwise
}

func (j *job) encode() []byte {
	b := make([]byte, 0, len(j.input)+len(j.object)+16)
	b = append(b, wireVersion)
	b = binary.AppendUvarint(b, uint64(max(j.enqueued.UnixMilli(), 0)))
	b = appendBytes(b, j.object)
	return append(b, j.input...)
}

func (j *job) decode(b []byte) error {
	d := decoder{b: b}
	if d.byte() != wireVersion {
		return errFrame
	}
	j.enqueued = time.UnixMilli(int64(d.number() & (1<<62 - 1)))
	j.object = string(d.bytes())
	j.input = d.b
	return d.err()
}

// keyID returns the id of a task with a key: always the same.
func keyID(name, key string) string {
	h := sha256.New()
	h.Write(appendBytes(nil, name))
	h.Write([]byte(key))
	return "k" + hex.EncodeToString(h.Sum(nil)[:20])
}

// address returns the parts of the subject of an enqueued task or of a dead letter.
func address(subject string) (group, name, id string) {
	t := strings.Split(subject, ".")
	if len(t) < 5 {
		return "", "", ""
	}
	return t[len(t)-3], t[len(t)-2], t[len(t)-1]
}

// load returns the record of a task. If there is none, its state is empty. It asks the leader of
// the stream: the Get of jetstream.KeyValue asks any replica, which may be behind, so that a task
// that is done would be running again, or unknown.
func (c *Client) load(ctx context.Context, id string) (record, error) {
	bucket := c.c.stateBucket()
	query, err := json.Marshal(map[string]string{"last_by_subj": "$KV." + bucket + "." + id})
	if err != nil {
		return record{}, err
	}
	m, err := c.ask(ctx, "$JS.API.STREAM.MSG.GET.KV_"+bucket, query)
	if err != nil {
		return record{}, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return record{}, err
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return record{}, nil
	case answer.Error != nil:
		return record{}, answer.Error
	}
	r := record{revision: answer.Message.Sequence}
	if len(answer.Message.Data) == 0 { // it says that the record was removed
		return r, nil
	}
	if err := json.Unmarshal(answer.Message.Data, &r); err != nil {
		return record{}, err
	}
	return r, nil
}

// A server that is stopped leaves questions unanswered. So ask repeats one after askAgain, and
// gives up after askLimit if ctx has no deadline, as package jetstream does.
const (
	askAgain = time.Second
	askLimit = 5 * time.Second
)

// ask sends a question that may be repeated, and returns the answer.
func (c *Client) ask(ctx context.Context, subject string, question []byte) (*nats.Msg, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askLimit)
		defer cancel()
	}
	for {
		limited, cancel := context.WithTimeout(ctx, askAgain)
		m, err := c.nc.RequestWithContext(limited, subject, question)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return m, err
		}
	}
}

// wrongLastSequenceConstant is what a server answers from 2.12 on if there is another revision.
const wrongLastSequenceConstant jetstream.ErrorCode = 10164

// conflict reports whether a write failed because there is another revision.
func conflict(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == wrongLastSequenceConstant)
}

// store writes a record unless another one has been written since it was loaded: then the error is
// a conflict.
func (c *Client) store(ctx context.Context, id string, r *record) error {
	r.Changed = time.Now()
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if r.revision == 0 {
		r.revision, err = c.state().Create(ctx, id, b)
		return err
	}
	n, err := c.state().Update(ctx, id, b, r.revision)
	if err == nil {
		r.revision = n
	}
	return err
}

// change loads a record, lets f change it, and stores it, until nobody else has changed it
// meanwhile. If f returns false, nothing is stored.
func (c *Client) change(ctx context.Context, id string, f func(*record) bool) (record, error) {
	for {
		r, err := c.load(ctx, id)
		if err != nil {
			return record{}, err
		}
		if !f(&r) {
			return r, nil
		}
		err = c.store(ctx, id, &r)
		if !conflict(err) {
			return r, err
		}
		// Another attempt was first.
		if !sleep(ctx, 5*time.Millisecond) {
			return record{}, ctx.Err()
		}
	}
}
