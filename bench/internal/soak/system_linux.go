package soak

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// resident returns the resident bytes of a process, 0 if it is gone.
func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// stolen returns how long the processors were withheld from this machine by the one that it is a guest of, and how long there were
// processors, since it was started; zeros if that cannot be told.
func stolen() (withheld, all int64) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(line)
	const steal = 8 // proc(5); what follows counts as user time too
	if len(fields) <= steal {
		return 0, 0
	}
	for _, f := range fields[1 : steal+1] {
		n, _ := strconv.ParseInt(string(f), 10, 64)
		all += n
	}
	withheld, _ = strconv.ParseInt(string(fields[steal]), 10, 64)
	return withheld, all
}

// descriptors returns how many files and sockets this process has open, -1 if that cannot be told.
func descriptors() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return -1
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return len(names) - 1 // without d
}

// maxDescriptors returns how many this process may have.
func maxDescriptors() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}

// spread says that there are many loopback addresses.
const spread = true

// narrow has a socket that is not connected yet receive little before it is read, in segments such as a network has: with
// those of the loopback interface the system would keep megabytes for each such connection.
func narrow(_, _ string, c syscall.RawConn) error {
	var refused error
	err := c.Control(func(fd uintptr) {
		refused = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400),
		)
	})
	return errors.Join(err, refused)
}
