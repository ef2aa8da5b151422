package park

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// A record of a tls.Conn that runs on a net.Conn must be written within WriteStall.
func TestRecordsOfADirectConnectionMayEachTakeWriteStall(t *testing.T) {
	const limit = time.Minute
	cert := selfsigned.NewTest(t, "localhost")
	for _, x := range []struct {
		n  int // bytes that the client reads within limit
		ok bool
	}{{20 << 10, true}, {14 << 10, false}} {
		synctest.Test(t, func(t *testing.T) {
			set, err := NewSet(Config{WriteStall: limit})
			if err != nil {
				t.Fatal(err)
			}
			client, server := net.Pipe()
			c := &Conn{Owner: nobody{}}
			c.set = set
			secure := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{cert}})
			go func() {
				defer client.Close()
				if err := tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
					t.Error(err)
				}
				b := make([]byte, x.n/16)
				for {
					if _, err := io.ReadFull(client, b); err != nil {
						return
					}
					time.Sleep(limit / 16)
				}
			}()
			if err := secure.Handshake(); err != nil {
				t.Fatal(err)
			}
			_, err = c.writeDirect(handle{kind: foreign, nc: server}, secure, make([]byte, 1<<20))
			if x.ok != (err == nil) || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a client reads %d bytes within WriteStall: %v", x.n, err)
			}
			server.Close()
			time.Sleep(limit) // until the client has ended
		})
	}
}
