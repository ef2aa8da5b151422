package http1

import (
	"io"
	"sync"
)

const copyBufferSize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}

func copyBuffer() []byte { return copyBuffers.Get().(*[copyBufferSize]byte)[:] }

func releaseCopyBuffer(b []byte) { copyBuffers.Put((*[copyBufferSize]byte)(b)) }

func discard(r io.Reader) {
	b := copyBuffer()
	defer releaseCopyBuffer(b)
	for {
		if _, err := r.Read(b); err != nil {
			return
		}
	}
}
