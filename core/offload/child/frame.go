package child

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

const (
	headSize = 16
	// maxTrust is how much memory a header alone can cause to be allocated; the rest is allocated
	// as the payload arrives.
	maxTrust = 1 << 20
	// maxJoin is the size of the largest frame that is copied so that one call of Write sends it.
	maxJoin = headSize + maxChunk
)

// A kind says what a frame is. The package comment describes them.
type kind uint32

const (
	plain   kind = iota // a request or an answer, or that the child is ready
	failed              // an answer that contains the text of an error
	setup               // to the child: the tasks to prepare for
	warming             // from the child: the task that it prepares for
	ask                 // to the child: a task to run
	cancel              // to the child: the context of the task has ended
	credit              // to the child: how much more of a stream it may send
	chunk               // from the child: a part of a stream
	outcome             // from the child: how a task has ended
	store               // from the child: a call of the stash; to the child: its answer
	numKinds
)

// A frame is a message sent over a pipe. The package comment describes its format.
type frame struct {
	kind    kind
	id      uint64
	payload []byte
}

// A head is a frame whose payload has not been read yet.
type head struct {
	kind kind
	id   uint64
	size uint32
}

// A reader reads frames. One goroutine at a time may use it.
type reader struct {
	r *bufio.Reader
}

func newReader(r io.Reader) reader { return reader{bufio.NewReaderSize(r, 16<<10)} }

// head reads the beginning of a frame. The error is io.EOF if there are no more frames.
func (r reader) head() (h head, err error) {
	b, err := r.r.Peek(headSize)
	if err != nil {
		if len(b) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return h, err
	}
	h = head{
		size: binary.BigEndian.Uint32(b),
		kind: kind(binary.BigEndian.Uint32(b[4:])),
		id:   binary.BigEndian.Uint64(b[8:]),
	}
	r.r.Discard(headSize)
	if h.kind >= numKinds {
		return h, fmt.Errorf("a frame of unknown kind %d", h.kind)
	}
	return h, nil
}

// payload reads the payload that follows h, of at most limit bytes. The result is the caller's.
func (r reader) payload(h head, limit int) ([]byte, error) {
	if err := h.check(limit); err != nil {
		return nil, err
	}
	if h.size <= maxTrust {
		return r.fill(make([]byte, h.size))
	}
	var b bytes.Buffer
	b.Grow(maxTrust)
	_, err := io.CopyN(&b, r.r, int64(h.size))
	return b.Bytes(), noEOF(err)
}

// fill reads a payload as long as b into b.
func (r reader) fill(b []byte) ([]byte, error) {
	_, err := io.ReadFull(r.r, b)
	return b, noEOF(err)
}

// noEOF is the error for a frame that ends before its payload does.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (h head) check(limit int) error {
	if uint64(h.size) > uint64(limit) {
		return fmt.Errorf("a frame of %d bytes, more than the limit of %d", h.size, limit)
	}
	return nil
}

// frame reads a whole frame with a payload of at most limit bytes.
func (r reader) frame(limit int) (f frame, err error) {
	h, err := r.head()
	if err != nil {
		return f, err
	}
	f = frame{kind: h.kind, id: h.id}
	f.payload, err = r.payload(h, limit)
	return f, err
}

// A sender writes frames. Several goroutines may use it at once.
type sender struct {
	w io.Writer

	mu  sync.Mutex // guards buf, and keeps frames apart
	buf []byte     // recycled: nobody but the sender sees it
}

// begin begins a frame, and locks s until end. The caller may append to s.buf what comes before the
// payload of end.
func (s *sender) begin(k kind, id uint64) {
	s.mu.Lock()
	s.buf = append(s.buf[:0], 0, 0, 0, 0) // the size, set by end
	s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(k))
	s.buf = binary.BigEndian.AppendUint64(s.buf, id)
}

// end writes the frame: with one call of Write unless it is large, as a pipe takes a small frame as
// a whole.
func (s *sender) end(payload []byte) error {
	defer s.mu.Unlock()
	size := uint64(len(s.buf)-headSize) + uint64(len(payload))
	if size > math.MaxUint32 {
		return fmt.Errorf("child: %d bytes are too many for one frame", size)
	}
	binary.BigEndian.PutUint32(s.buf, uint32(size))
	if len(s.buf)+len(payload) <= maxJoin {
		s.buf = append(s.buf, payload...)
		payload = nil
	}
	_, err := s.w.Write(s.buf)
	if err == nil && len(payload) > 0 {
		_, err = s.w.Write(payload)
	}
	if cap(s.buf) > 2*maxJoin {
		s.buf = nil
	}
	return err
}

func (s *sender) send(f frame) error {
	s.begin(f.kind, f.id)
	return s.end(f.payload)
}
