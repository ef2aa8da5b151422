//go:build linux && !recycling_nopark

package http1

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// FuzzParked is the second half of FuzzServe for parked connections: between any two reads the
// Worker may have to give up the connection, together with the bytes it has read but not used. Each
// segment is sent when the previous one has been read, and the outcome must be the same as with one
// read from memory.
func FuzzParked(f *testing.F) {
	s := newParkedServer(f)
	for _, v := range connections() {
		f.Add([]byte(v), []byte{6, 0, 40})
	}
	f.Fuzz(func(t *testing.T, input, cuts []byte) {
		if len(input) < 1<<16 {
			s.compare(t, input, cuts)
		}
	})
}

func TestParkingMeansNothingToRequests(t *testing.T) {
	s := newParkedServer(t)
	for i, v := range connections() {
		cuts := []byte{6, 0, 40}
		switch {
		case i%3 > 0: // a segment takes its time
			continue
		case len(v) > 2000:
			cuts = []byte{250, 0}
		case i%5 == 0:
			cuts = []byte{0}
		}
		s.compare(t, []byte(v), cuts)
	}
}

// A parkedServer serves one connection at a time, on the goroutine of the test.
type parkedServer struct {
	listener net.Listener
	set      *park.Set
	base     ListenerConfig
	worker   *Worker
	open     bool // the connection is open
}

func newParkedServer(t testing.TB) *parkedServer {
	s := &parkedServer{}
	s.base = ListenerConfig{Server: &Server{HTTP: &http.Server{ErrorLog: quiet, DisableGeneralOptionsHandler: true}}, Context: context.Background()}
	s.worker = NewWorker(s.base.Server)
	var err error
	s.set, err = park.NewSet(park.Config{Parks: true, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	s.listener, err = net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := listener.NewRaw(s.listener)
	if !ok {
		t.Fatal("no raw listener")
	}
	err = s.set.Listen(raw, false, func(*listener.Addr) *park.Conn {
		c := &Conn{Scheduler: alone{func() { s.open = false }}}
		c.Init(&s.base)
		return &c.Conn
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.set.Unlisten(raw)
		s.listener.Close()
		s.set.Close()
	})
	return s
}

func (s *parkedServer) compare(t *testing.T, input, cuts []byte) {
	want := serveInput(s.worker, input, nil)
	got := s.serve(t, input, cuts)
	for i := range want.seen {
		want.seen[i].At = 0 // not known with a socket
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nin segments of %v, parked: %+v\nin one read: %+v", input, cuts, got, want)
	}
}

func (s *parkedServer) serve(t *testing.T, input, cuts []byte) session {
	h := &recorder{c: &memConn{}}
	s.base.Server.HTTP.Handler = h
	nc, err := net.Dial("unix", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := nc.(*net.UnixConn)
	defer client.Close()
	sent, received := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sent)
		sendSegments(client, input, cuts, received)
	}()
	var out bytes.Buffer
	go func() {
		defer close(received)
		io.Copy(&out, client)
	}()
	var batch []*park.Conn
	for s.open = true; s.open; {
		if batch, err = s.set.Lead(batch[:0]); err != nil {
			t.Fatal(err)
		}
		for _, c := range batch {
			s.worker.Serve(c.Owner.(*Conn))
		}
	}
	<-sent
	<-received
	h.c.Write(out.Bytes())
	return h.session()
}

// sendSegments sends input in segments, each when the previous one has been read, until over is
// closed: a server that has sent its last response need not read on.
func sendSegments(client *net.UnixConn, input, cuts []byte, over <-chan struct{}) {
	defer client.CloseWrite()
	rc, err := client.SyscallConn()
	if err != nil {
		return
	}
	segments := &memConn{in: input, cuts: cuts}
	buf := make([]byte, 1<<16)
	for {
		n, err := segments.Read(buf)
		if err != nil {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
		for unread := 1; unread > 0; {
			rc.Control(func(fd uintptr) {
				if unread, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err != nil {
					unread = 0
				}
			})
			select {
			case <-over:
				return
			default:
			}
			// time.Sleep would take a millisecond, and runtime.Gosched would keep the others from
			// Go's poller.
			unix.Nanosleep(&unix.Timespec{Nsec: 1000}, nil)
		}
	}
}
