package child

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
)

// version is the first byte of the frame setup. A child that expects another one is not used.
const version = 1

const (
	// maxChunk is the payload of the largest chunk: a longer Write becomes several.
	maxChunk = 64 << 10
	// window is how many bytes of frames a stream may send before the parent gives credit. A pipe
	// holds 64 KiB on Linux, so more would not make streams faster.
	window = 2 * (headSize + maxChunk)
	// maxText limits the text of errors and panics, and stacks. What is longer is cut off.
	maxText = 64 << 10
	// maxNote limits the frame warming.
	maxNote = 1 << 10
	// overhead is how much longer than the output of the task the frame of an outcome may be.
	overhead = 1 + 3*(4+maxText)
)

// appendSetup appends the payload of a frame setup.
func appendSetup(b []byte, names []string) []byte {
	b = append(b, version)
	return append(b, strings.Join(names, "\x00")...)
}

func parseSetup(b []byte) (names []string, err error) {
	if len(b) == 0 || b[0] != version {
		return nil, errors.New("child: the parent uses another version of the protocol")
	}
	if len(b) == 1 {
		return nil, nil
	}
	return strings.Split(string(b[1:]), "\x00"), nil
}

// A question is the payload of a frame ask.
type question struct {
	left      time.Duration // until the deadline; 0 if there is none
	maxAnswer uint32        // the size of the largest output
	name      string
	input     []byte
}

// append appends q without its input, which is the rest of the frame.
func (q *question) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(q.left))
	b = binary.BigEndian.AppendUint32(b, q.maxAnswer)
	b = append(b, uint8(len(q.name))) // the names of tasks are short
	return append(b, q.name...)
}

func parseQuestion(b []byte) (q question, err error) {
	const fixed = 8 + 4 + 1
	if len(b) < fixed {
		return q, fmt.Errorf("child: a task of %d bytes", len(b))
	}
	left := binary.BigEndian.Uint64(b)
	if left > math.MaxInt64 {
		return q, errors.New("child: a task whose deadline has passed")
	}
	q.left = time.Duration(left)
	q.maxAnswer = binary.BigEndian.Uint32(b[8:])
	n := int(b[12])
	b = b[fixed:]
	if len(b) < n {
		return q, errors.New("child: a task whose name is incomplete")
	}
	q.name, q.input = string(b[:n]), b[n:]
	return q, nil
}

// appendOutcome appends o without its output, which is the rest of the frame.
func appendOutcome(b []byte, o *task.Outcome) []byte {
	b = append(b, uint8(o.Kind))
	b = appendText(b, o.Code)
	b = appendText(b, o.Message)
	return appendText(b, o.Stack)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	text = text[:min(len(text), maxText)]
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// parseOutcome returns an outcome that has parts of b.
func parseOutcome(b []byte) (o task.Outcome, err error) {
	if len(b) == 0 {
		return o, errors.New("an empty outcome")
	}
	o.Kind = task.Kind(b[0])
	if o.Kind > task.Unknown {
		return o, fmt.Errorf("an outcome of unknown kind %d", o.Kind)
	}
	var texts [3][]byte
	b = b[1:]
	for i := range texts {
		if texts[i], b, err = cutText(b); err != nil {
			return o, err
		}
	}
	o.Code, o.Message, o.Output = string(texts[0]), string(texts[1]), b
	if len(texts[2]) > 0 {
		o.Stack = texts[2]
	}
	return o, nil
}

func cutText(b []byte) (text, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errors.New("an outcome that is incomplete")
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(min(len(b), maxText)) {
		return nil, nil, fmt.Errorf("an outcome with a text of %d bytes", n)
	}
	return b[:n:n], b[n:], nil
}

func appendCredit(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

func parseCredit(b []byte) (int, error) {
	if len(b) != 4 || binary.BigEndian.Uint32(b) > window {
		return 0, errors.New("child: credit that was not earned")
	}
	return int(binary.BigEndian.Uint32(b)), nil
}
