//go:build !load_goroutines

package load

import (
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Threads are the engine for connections without TLS: as many as there are processors.
//
// A goroutine for each connection would be simpler, but cost a third more: package net tries to
// read once before it waits, and makes a dozen system calls to configure each socket. Its requests
// would also arrive one by one, while those of wrk arrive in batches, as on a busy server.
type threads []*thread

// newPlain returns the engine for n connections without TLS.
func newPlain(addr *net.TCPAddr, r Request, n int) (engine, error) {
	var e threads
	for range min(runtime.GOMAXPROCS(0), n) {
		t, err := newThread(newService(addr, r))
		if err != nil {
			e.close()
			return nil, err
		}
		e = append(e, t)
	}
	for i := range n {
		t := e[i%len(e)]
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

func (e threads) close() {
	for _, t := range e {
		t.close()
	}
}

func (e threads) interrupt() {
	for _, t := range e {
		t.interrupt()
	}
}

func (e threads) run(end time.Time) []*Result {
	results := make([]*Result, len(e))
	var all sync.WaitGroup
	for i, t := range e {
		results[i] = newResult()
		all.Go(func() { t.loop(t.clients, end, results[i]) })
	}
	all.Wait()
	return results
}

func (e threads) once() error {
	for _, t := range e {
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
