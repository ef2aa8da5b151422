package main

import (
	"io"
	"net"
)

// A client is one connection of the load generator, with all it needs: a request allocates nothing.
type client struct {
	addr    *net.TCPAddr
	request []byte
	close   bool // the server closes after each answer
	conn    net.Conn
	buf     [4 << 10]byte
}

func newClient(addr *net.TCPAddr, s scenario) *client {
	return &client{addr: addr, request: s.request(), close: s.close}
}

// dial connects, unless it is connected.
func (c *client) dial() error {
	if c.conn != nil {
		return nil
	}
	conn, err := net.DialTCP("tcp", nil, c.addr)
	if err != nil {
		return err
	}
	c.conn = conn
	return nil
}

// hangUp closes the connection if there is one.
func (c *client) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// do sends one request and reads the answer, whose body is valid until the next. With close it also connects,
// and waits for the server to close. After an error there is no connection.
func (c *client) do() (body []byte, err error) {
	defer func() {
		if err != nil || c.close {
			c.hangUp()
		}
	}()
	if err := c.dial(); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return nil, err
	}
	return c.read()
}

// read reads one answer, and with close the end of the connection.
func (c *client) read() ([]byte, error) {
	n := 0
	for {
		m, err := c.conn.Read(c.buf[n:])
		n += m
		head, length, ok, bad := parseHead(c.buf[:n])
		if bad != nil {
			return nil, bad
		}
		if ok && n >= head+length {
			if n > head+length {
				return nil, errMore
			}
			if c.close && err == nil {
				err = c.readEnd()
			}
			if err == io.EOF && c.close {
				err = nil
			}
			return c.buf[head:n], err
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if n == len(c.buf) {
			return nil, errLong
		}
	}
}

// readEnd returns io.EOF if that is what comes next.
func (c *client) readEnd() error {
	var one [1]byte
	n, err := c.conn.Read(one[:])
	if n > 0 {
		return errMore
	}
	return err
}

// ask is one request on a connection of its own.
func ask(addr string, s scenario) ([]byte, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := newClient(a, s)
	defer c.hangUp()
	return c.do()
}
