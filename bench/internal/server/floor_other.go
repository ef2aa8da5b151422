//go:build !linux

package server

import (
	"net"
	"time"
)

// floor serves with a goroutine for each connection.
func floor(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	announce(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go converse(c)
	}
}

func converse(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		r, ok := parse(buf[:n])
		if !ok {
			return
		}
		time.Sleep(r.sleep)
		if _, err := c.Write(r.text); err != nil || r.close {
			return
		}
	}
}
