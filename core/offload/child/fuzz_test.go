package child_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// frame returns a frame as it is sent.
func frame(kind uint32, id uint64, payload []byte) []byte {
	return append(head(uint32(len(payload)), kind, id), payload...)
}

// harmless are tasks that may be run with any input.
var (
	harmless task.Set
	_        = task.Register(&harmless, "echo", func(_ context.Context, b []byte) ([]byte, error) {
		return b, nil
	}, task.Options{Encoding: task.Bytes})
	_ = task.RegisterStream(&harmless, "repeat", func(_ context.Context, b []byte, w io.Writer) error {
		for range 5 {
			if _, err := w.Write(bytes.Repeat(b, 1+min(len(b)*10, 1<<17/(len(b)+1)))); err != nil {
				return err
			}
		}
		return nil
	}, task.Options{Encoding: task.Bytes})
	failing = task.Register(&harmless, "fail", func(_ context.Context, b []byte) ([]byte, error) {
		return nil, errors.New(string(b))
	}, task.Options{Encoding: task.Bytes})
	flowing = task.RegisterStream(&harmless, "flow", func(context.Context, []byte, io.Writer) error { return nil },
		task.Options{Encoding: task.Bytes})
)

// FuzzServeTasks lets a child read any bytes after those that prepare it.
func FuzzServeTasks(f *testing.F) {
	ask := func(id uint64, name, input string) []byte {
		return frame(child.Ask, id, child.Question(0, 1<<10, name, input))
	}
	credit := frame(child.Credit, 2, binary.BigEndian.AppendUint32(nil, 1<<15))
	f.Add(slices.Concat(ask(1, "echo", "hello"), ask(2, "repeat", "0123456789abcdef"), credit, credit, ask(3, "fail", "x")))
	f.Add(slices.Concat(ask(1, "unknown", ""), frame(child.Cancel, 1, nil), frame(child.Credit, 1, []byte{255, 255, 255, 255})))
	f.Add(frame(child.Ask, 1, child.Question(1, 0, "repeat", "more than MaxAnswer")))
	f.Add(frame(child.Ask, 1, make([]byte, 13)))
	f.Add(head(1<<31, child.Ask, 1))
	f.Add(frame(child.Setup, 0, nil))
	f.Add(slices.Concat(ask(1, "repeat", strings.Repeat("x", 1<<12)), ask(2, "echo", "too early")))
	f.Add(slices.Concat(ask(1, "repeat", strings.Repeat("x", 1<<12)), frame(child.Store, 1, []byte(`{"n":1,"value":"eA=="}`)), frame(child.Store, 1, []byte("{"))))
	f.Fuzz(func(t *testing.T, in []byte) {
		begin := frame(child.Setup, 0, child.SetupFor())
		var out bytes.Buffer
		child.ServeTasksOn(bytes.NewReader(append(begin, in...)), &out, &harmless)
		// Whatever it reads, it sends whole frames, and no outcome more than it was asked for.
		outcomes := 0
		for b := out.Bytes(); len(b) > 0; {
			if len(b) < 16 || uint64(len(b)-16) < uint64(binary.BigEndian.Uint32(b)) {
				t.Fatalf("half a frame: %x", b)
			}
			size := 16 + int(binary.BigEndian.Uint32(b))
			if kind := binary.BigEndian.Uint32(b[4:]); kind == child.Outcome {
				outcomes++
				if _, err := child.Decode(b[16:size]); err != nil {
					t.Error(err)
				}
			}
			b = b[size:]
		}
		if outcomes > len(in)/29 { // the size of the shortest frame ask
			t.Errorf("%d outcomes for %d bytes", outcomes, len(in))
		}
	})
}

// A scripted is a place with a child that sends given bytes.
type scripted []byte

func (s scripted) Do(ctx context.Context, j *task.Job) error {
	input, err := j.Input()
	if err != nil {
		return err
	}
	o, err := child.Exchange(ctx, j, input, s)
	if err != nil {
		return err
	}
	if o.Kind == task.Panicked || o.Kind == task.Aborted || o.Kind == task.Exited {
		return fmt.Errorf("kind %d", o.Kind)
	}
	return j.Finish(o)
}

// FuzzRun lets the parent read any bytes from a child.
func FuzzRun(f *testing.F) {
	good := frame(child.Outcome, 1, child.Encode(task.Outcome{Output: []byte("output")}))
	f.Add(good)
	f.Add(slices.Concat(frame(child.Chunk, 1, []byte("chunk")), frame(child.Chunk, 1, make([]byte, 64<<10)), good))
	f.Add(frame(child.Outcome, 1, child.Encode(task.Outcome{Kind: task.Failed, Code: "code", Message: "message"})))
	f.Add(frame(child.Outcome, 1, child.Encode(task.Outcome{Kind: task.Panicked, Message: "message", Stack: []byte("stack")})))
	f.Add(frame(child.Outcome, 2, nil))
	f.Add(frame(child.Warming, 0, []byte("echo")))
	f.Add(head(1<<31, child.Chunk, 1))
	f.Add(head(1<<31, child.Outcome, 1))
	f.Add(make([]byte, 16))
	f.Add(slices.Concat(frame(child.Store, 1, []byte(`{"n":1,"op":"get","key":"k"}`)), frame(child.Store, 1, []byte("{")), good))
	f.Fuzz(func(t *testing.T, sends []byte) {
		out, err := failing.Do(ctx, scripted(sends), nil)
		if err == nil && len(out) > len(sends) {
			t.Errorf("%d bytes of output out of %d", len(out), len(sends))
		}
		var got bytes.Buffer
		flowing.Do(ctx, scripted(sends), nil, &got)
		if got.Len() > len(sends) {
			t.Errorf("a stream of %d bytes out of %d", got.Len(), len(sends))
		}
		child.Greet(sends)
	})
}

func FuzzOutcome(f *testing.F) {
	f.Add(uint8(task.Failed), "code", "message", []byte(nil), []byte("output"))
	f.Fuzz(func(t *testing.T, kind uint8, code, message string, stack, output []byte) {
		want := task.Outcome{Kind: task.Kind(kind % uint8(task.Unknown+1)), Code: code, Message: message, Output: output}
		if len(stack) > 0 {
			want.Stack = stack
		}
		if max(len(code), len(message), len(stack)) > 64<<10 {
			return // it is cut off
		}
		got, err := child.Decode(child.Encode(want))
		if len(output) == 0 {
			got.Output, want.Output = nil, nil
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	})
}
