package http1

import "sync"

// A HandlerCount counts handlers that have not returned. The zero value counts none.
type HandlerCount struct {
	mu   sync.Mutex // guards the following
	n    int
	none chan struct{} // closed when n becomes zero; nil unless somebody waits for that
}

// N returns how many handlers have not returned.
func (h *HandlerCount) N() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

// None returns a channel that is closed when all handlers that are counted now have returned, and
// those that begin before that.
func (h *HandlerCount) None() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.none == nil {
		h.none = make(chan struct{})
	}
	none := h.none
	h.checkLocked()
	return none
}

func (h *HandlerCount) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
}

func (h *HandlerCount) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n--
	h.checkLocked()
}

func (h *HandlerCount) checkLocked() {
	if h.n == 0 && h.none != nil {
		close(h.none)
		h.none = nil
	}
}
