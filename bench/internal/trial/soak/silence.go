package soak

import (
	"bufio"
	"errors"
	"net"
	"os"
	"time"
)

// silent leaves a connection alone, new or idle, until the server closes it or the client's time is
// over. Meanwhile the client continues with another connection.
func (c *client) silent() error {
	if c.rnd.IntN(2) == 0 || c.silences.Load() >= mostSilences {
		if err := c.exchange(c.some(100)); err != nil {
			return err
		}
	}
	if c.nc == nil || c.silences.Load() >= mostSilences {
		return nil
	}
	s := silence{c.nc, c.in, c.quit, time.Now().Add(max(headerTimeout, idleTimeout) + c.patience)}
	c.nc = nil
	c.silences.Add(1)
	c.waiting.Go(func() {
		defer c.silences.Add(-1)
		c.tally.act("silence", s.wait(c.until))
	})
	return nil
}

// mostSilences is how many connections a client leaves alone at the same time.
const mostSilences = 8

// A silence is a connection that is left alone.
type silence struct {
	nc   *net.TCPConn
	in   *bufio.Reader
	quit func() bool
	hung time.Time // when it must have ended
}

func (s silence) wait(until time.Time) error {
	defer s.nc.Close()
	defer s.quit()
	short := until.Before(s.hung)
	if short {
		s.hung = until
	}
	s.nc.SetDeadline(s.hung) // an error shows in the following read
	err := over(s.in)
	if short && errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
