package recyclingnats

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
)

// A request is what a call puts into the queue.
type request struct {
	inbox     string        // subject for frames to the caller
	attempt   uint64        // of the caller, counted from one
	remaining time.Duration // until the deadline; zero means none
	direct    bool          // the worker need not ask whether the call may begin
	parts     uint64        // of the input, if it is too large for one message
	input     []byte        // otherwise
}

// A frameKind is what a worker tells a caller.
type frameKind byte

const (
	frameAsk    frameKind = 'A' // may the call begin? The worker waits for orderGrant
	frameBegun  frameKind = 'B' // the call has begun
	frameBeat   frameKind = 'H' // the call runs
	framePart   frameKind = 'P' // send part n of the input
	frameChunk  frameKind = 'C' // chunk n of a stream, or of an output
	frameMore   frameKind = 'M' // the same, and the next chunk belongs to the same Write
	frameResult frameKind = 'R' // the outcome, after n chunks
	frameBack   frameKind = 'G' // the worker gives the call back, which has begun
)

func (k frameKind) needsCaller() bool { return k != frameResult && k != frameBack }

// A frame is a message from a worker to a caller.
type frame struct {
	kind    frameKind
	attempt uint64
	n       uint64
	data    []byte
}

// An orderKind is what a caller tells a worker.
type orderKind byte

const (
	orderGrant  orderKind = 'g' // the call may begin; n is the remaining time, as in a request
	orderCancel orderKind = 'x' // the caller has left, or does not want this attempt
	orderCredit orderKind = 'k' // n chunks have been consumed; it also says that the caller lives
	orderPart   orderKind = 'p' // part n of the input
)

// An order is a message from a caller to a worker, about one attempt of one call.
type order struct {
	kind orderKind
	n    uint64
	data []byte
}

var errFrame = errors.New("recyclingnats: malformed message")

const (
	wireVersion = 1
	maxText     = 64 << 10 // of an error, a panic's value, a stack
	maxCode     = 1 << 10
)

func appendBytes[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// A decoder reads the parts of a message, and remembers that one was missing.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) bytes() []byte {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

// duration is the inverse of micros. What is too long is no limit.
func duration(n uint64) time.Duration {
	if n > math.MaxInt64/uint64(time.Microsecond) {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

func (d *decoder) err() error {
	if d.bad {
		return errFrame
	}
	return nil
}

// micros returns d in microseconds. What is less than one counts as one, because zero means that
// there is no limit.
func micros(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return max(uint64(d/time.Microsecond), 1)
}

func (r *request) encode() []byte {
	b := make([]byte, 0, len(r.input)+len(r.inbox)+48)
	var flags byte
	if r.direct {
		flags = 1
	}
	b = append(b, wireVersion, flags)
	b = binary.AppendUvarint(b, r.attempt)
	b = binary.AppendUvarint(b, micros(r.remaining))
	b = binary.AppendUvarint(b, r.parts)
	b = appendBytes(b, r.inbox)
	return append(b, r.input...)
}

func (r *request) decode(b []byte) error {
	d := decoder{b: b}
	if d.byte() != wireVersion {
		return errFrame
	}
	r.direct = d.byte()&1 != 0
	r.attempt = d.number()
	r.remaining = duration(d.number())
	r.parts = d.number()
	r.inbox = string(d.bytes())
	r.input = d.b
	return d.err()
}

func (f *frame) encode() []byte {
	b := make([]byte, 0, len(f.data)+16)
	b = append(b, byte(f.kind))
	b = binary.AppendUvarint(b, f.attempt)
	b = binary.AppendUvarint(b, f.n)
	return append(b, f.data...)
}

func (f *frame) decode(b []byte) error {
	d := decoder{b: b}
	f.kind = frameKind(d.byte())
	f.attempt = d.number()
	f.n = d.number()
	f.data = d.b
	return d.err()
}

func (o order) encode() []byte {
	b := make([]byte, 0, len(o.data)+16)
	b = append(b, byte(o.kind))
	b = binary.AppendUvarint(b, o.n)
	return append(b, o.data...)
}

func (o *order) decode(b []byte) error {
	d := decoder{b: b}
	o.kind = orderKind(d.byte())
	o.n = d.number()
	o.data = d.b
	return d.err()
}

// encodeOutcome does not contain the output, unless it is given.
func encodeOutcome(o *task.Outcome, output []byte) []byte {
	b := make([]byte, 0, len(output)+len(o.Message)+len(o.Stack)+len(o.Code)+16)
	b = append(b, byte(o.Kind))
	b = appendBytes(b, o.Code[:min(len(o.Code), maxCode)])
	b = appendBytes(b, o.Message[:min(len(o.Message), maxText)])
	b = appendBytes(b, o.Stack[:min(len(o.Stack), maxText)])
	return append(b, output...)
}

func decodeOutcome(b []byte) (o task.Outcome, err error) {
	d := decoder{b: b}
	o.Kind = task.Kind(d.byte())
	o.Code = string(d.bytes())
	o.Message = string(d.bytes())
	o.Stack = d.bytes()
	o.Output = d.b
	return o, d.err()
}
