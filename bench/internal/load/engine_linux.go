//go:build !load_goroutines

package load

import (
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// An engine sends the requests of all connections, on as many threads as there are processors.
//
// A goroutine for each connection would be simpler, but cost a third more: package net tries to
// read once before it waits, and makes a dozen system calls to configure each socket. Its requests
// would also arrive one by one, while those of wrk arrive in batches, as on a busy server.
type engine struct {
	threads []*thread
}

func newEngine(addr *net.TCPAddr, r Request, n int) (*engine, error) {
	e := new(engine)
	for range min(runtime.GOMAXPROCS(0), n) {
		t, err := newThread(newService(addr, r))
		if err != nil {
			e.close()
			return nil, err
		}
		e.threads = append(e.threads, t)
	}
	for i := range n {
		t := e.threads[i%len(e.threads)]
		t.clients = append(t.clients, &client{index: len(t.clients), fd: none})
	}
	return e, nil
}

// A service is what the clients of a thread request. Threads do not share a service, because
// syscall.Connect writes to addr.
type service struct {
	family  int
	addr    syscall.Sockaddr
	request []byte
	close   bool // the server closes the connection after each response
}

func newService(addr *net.TCPAddr, r Request) *service {
	s := &service{request: r.bytes(), close: r.Close}
	if ip := addr.IP.To4(); ip != nil {
		s.family, s.addr = syscall.AF_INET, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(ip)}
	} else {
		s.family, s.addr = syscall.AF_INET6, &syscall.SockaddrInet6{Port: addr.Port, Addr: [16]byte(addr.IP.To16())}
	}
	return s
}

func (e *engine) close() {
	for _, t := range e.threads {
		t.close()
	}
	e.threads = nil
}

// interrupt ends run and once, now and in the future. It may be called while they run.
func (e *engine) interrupt() {
	for _, t := range e.threads {
		t.interrupt()
	}
}

func (e *engine) run(end time.Time) []*Result {
	results := make([]*Result, len(e.threads))
	var all sync.WaitGroup
	for i, t := range e.threads {
		results[i] = newResult()
		all.Go(func() { t.loop(t.clients, end, results[i]) })
	}
	all.Wait()
	return results
}

func (e *engine) once() error {
	for _, t := range e.threads {
		r := newResult()
		for i := range t.clients {
			if t.loop(t.clients[i:i+1], time.Now(), r); r.First != nil {
				return r.First
			}
			if t.off {
				return errInterrupted
			}
		}
	}
	return nil
}
