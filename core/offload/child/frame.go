package child

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	headSize = 16
	// maxTrust is how much memory a header alone can cause to be allocated; the rest is allocated
	// as the payload arrives.
	maxTrust = 1 << 20
)

// Kinds of frames.
const (
	plain  uint32 = iota // a request or an answer
	failed               // an answer that contains the text of an error
)

// A frame is a message sent over a pipe. The package comment describes its format.
type frame struct {
	kind    uint32
	id      uint64
	payload []byte
}

// write writes f with one call of Write: a pipe takes a small frame as a whole.
func (f frame) write(w io.Writer) error {
	if uint64(len(f.payload)) > math.MaxUint32 {
		return fmt.Errorf("child: %d bytes are too many for one frame", len(f.payload))
	}
	b := make([]byte, headSize, headSize+len(f.payload))
	binary.BigEndian.PutUint32(b, uint32(len(f.payload)))
	binary.BigEndian.PutUint32(b[4:], f.kind)
	binary.BigEndian.PutUint64(b[8:], f.id)
	_, err := w.Write(append(b, f.payload...))
	return err
}

// readFrame reads a frame with a payload of at most limit bytes. The error is io.EOF if there are
// no more frames.
func readFrame(r io.Reader, limit int) (f frame, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	size := binary.BigEndian.Uint32(head[:])
	f.kind = binary.BigEndian.Uint32(head[4:])
	f.id = binary.BigEndian.Uint64(head[8:])
	switch {
	case uint64(size) > uint64(limit):
		return f, fmt.Errorf("a frame of %d bytes, more than the limit of %d", size, limit)
	case f.kind > failed:
		return f, fmt.Errorf("a frame of unknown kind %d", f.kind)
	}
	var b bytes.Buffer
	b.Grow(int(min(size, maxTrust)))
	if _, err = io.CopyN(&b, r, int64(size)); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	f.payload = b.Bytes()
	return f, err
}
