package park

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// A lateConn does not end a read until told to.
type lateConn struct {
	net.Conn
	ending chan struct{} // closed when a deadline asks the read to end
	end    chan struct{} // closed to let the read end
}

func (c *lateConn) SetReadDeadline(t time.Time) error {
	if t.Equal(time.Unix(1, 0)) {
		close(c.ending)
		<-c.end
	}
	return c.Conn.SetReadDeadline(t)
}

func TestDeadlineThatIsSetWhileAProbeEndsCounts(t *testing.T) {
	set, err := NewSet(Config{})
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	defer client.Close()
	nc := &lateConn{server, make(chan struct{}), make(chan struct{})}
	c := &Conn{Owner: nobody{}}
	set.Add(c, nc)
	defer server.Close()
	c.Watch(func() { t.Error("the client is gone") })
	read := readOne(c)
	<-nc.ending
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	close(nc.end)
	timesOut(t, c, read)
}

// readOne begins to read from c. The channel gets the error.
func readOne(c *Conn) <-chan error {
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	return read
}

// timesOut checks that a read from c ends because its deadline passes.
func timesOut(t *testing.T, c *Conn, read <-chan error) {
	t.Helper()
	select {
	case err := <-read:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Read goes on waiting")
		c.GiveUp()
		<-read
	}
}

// A heardConn reports the deadlines that are set on it.
type heardConn struct {
	net.Conn
	deadlines chan time.Time
}

func (c *heardConn) SetReadDeadline(t time.Time) error {
	c.deadlines <- t
	return nil
}

// A deadline that a read has reached, but not yet noticed, has no effect if it is then moved.
func TestProbeThatEndsIsNotGivenMoreTime(t *testing.T) {
	set, err := NewSet(Config{})
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	nc := &heardConn{server, make(chan time.Time, 10)}
	c := &Conn{Owner: nobody{}}
	set.Add(c, nc)
	c.Watch(func() {})
	<-nc.deadlines // the probe begins without a deadline
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Close()
	}()
	<-nc.deadlines // the deadline that ends the probe
	by := time.Now().Add(time.Hour)
	c.SetReadDeadline(by)
	if n := len(nc.deadlines); n != 0 {
		t.Errorf("it got %d more", n)
	}
	client.Close() // this does end the probe
	<-ended
	if got := <-nc.deadlines; got.Sub(by).Abs() > time.Millisecond {
		t.Errorf("the deadline is %v afterwards, want %v", got, by)
	}
}

// A nobody is an Owner that does nothing.
type nobody struct{}

func (nobody) Admit() bool { return true }
func (nobody) Refuse()     {}
func (nobody) Expire()     {}
func (nobody) Ended()      {}
