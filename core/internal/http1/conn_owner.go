package http1

import "github.com/recycling-go/recycling/core/observe"

// A Standing says whether a connection counts for the address that it comes from.
type Standing uint8

const (
	Uncounted  Standing = iota // it does not
	Unadmitted                 // its address is not known yet
	Counted
)

// The methods of park.Owner; Expire is in conn.go.

func (c *Conn) Admit() bool { return c.Scheduler.Admit(c) }
func (c *Conn) Ended()      { c.Scheduler.Ended(c) }

func (c *Conn) Refuse() {
	c.MarkRefused()
	c.srv.NoDescriptor()
	c.Observe(observe.Refused, observe.Descriptors)
	c.ShedNow()
}
