package soak

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// resident returns the resident bytes of a process, or 0 if the process is gone.
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

// stolen returns how much CPU time the host has withheld from this virtual machine since it was
// started, and the total CPU time. Both are zero if they are not known.
func stolen() (withheld, all int64) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(line)
	const steal = 8 // field of proc(5); later fields are also counted as user time
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

// descriptors returns how many files and sockets this process has open, or -1 if that is not known.
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

// maxDescriptors returns how many descriptors this process may have.
func maxDescriptors() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}

// spread reports that there are many loopback addresses.
const spread = true

// narrow limits how much a socket that is not connected yet receives before it is read, and makes
// it use segments as small as those of a network: with the segments of the loopback interface, the
// kernel would keep megabytes for each such connection.
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
