package http1

// A rereader decides whether a worker reads once more after a response, before it parks the
// connection. If the client's next request is there already, it takes no event and no turn in the
// queue. That is frequent where clients share the processors with the server, because the system
// often runs a client as soon as the response is written. Elsewhere the read is in vain, and costs
// about 4 % of a short request. So each read that finds something earns rereadGain reads that may
// find nothing, and without such credit the worker reads at one of rereadEvery opportunities.
//
// While the leader is late, no worker does this: the leader needs the processor to see the other
// connections.
//
// Each worker has its own rereader, so that it shares nothing. It adapts within a few responses.
type rereader struct {
	credit uint8 // how many more reads may find nothing
	passed uint8 // opportunities since the last read without credit
}

const (
	rereadGain      = 3
	rereadMaxCredit = 12
	rereadEvery     = 16
)

// due reports whether to read.
func (r *rereader) due() bool {
	if r.credit > 0 {
		return true
	}
	r.passed++
	if r.passed < rereadEvery {
		return false
	}
	r.passed = 0
	return true
}

// done records whether the read has found something.
func (r *rereader) done(found bool) {
	switch {
	case found:
		r.credit = min(r.credit+rereadGain, rereadMaxCredit)
	case r.credit > 0:
		r.credit--
	}
}

// reread reads the next request of c if it has arrived, and reports whether there was something to
// read.
func (w *Worker) reread(c *Conn) bool {
	if c.phase != keptAlive || w.stayed || w.Reserve || w.in.buffered() > 0 || !c.Parks() || c.Late() || !w.rereader.due() {
		return false
	}
	c.Reread()
	found := w.readNow()
	w.rereader.done(found)
	return found
}
