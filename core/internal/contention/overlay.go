//go:build !recycling_count

package main

import (
	"fmt"
	"os"
	"regexp"

	"github.com/recycling-go/recycling/core/internal/gotool"
)

// recorder is added to package sync/atomic. It may not import anything that imports that package.
const recorder = `package atomic

import "unsafe"

// A Recorded says how often a word was written, or a mutex was locked.
type Recorded struct {
	Addr   uintptr
	Writes uint64
	Locks  uint64
}

const (
	recordSize  = 1 << 20
	recordProbe = 1 << 10
)

var (
	recording uint32
	recordLost uint64
	records   [recordSize]Recorded
)

// Record begins or ends recording.
func Record(on uint32) { StoreUint32(&recording, on) }

// Records returns what was recorded, by a hash of the address, and how much was lost.
func Records() ([]Recorded, uint64) { return records[:], recordLost }

// RecordLock is called by the mutex at p, which was locked.
func RecordLock(p unsafe.Pointer) {
	if r := recordOf(p); r != nil {
		AddUint64(&r.Locks, 1)
	}
}

func recordWrite(p unsafe.Pointer) {
	if r := recordOf(p); r != nil {
		AddUint64(&r.Writes, 1)
	}
}

func recordOf(p unsafe.Pointer) *Recorded {
	if LoadUint32(&recording) == 0 {
		return nil
	}
	addr := uintptr(p)
	h := uint64(addr) * 0x9e3779b97f4a7c15 >> 44
	for i := range uint64(recordProbe) {
		r := &records[(h+i)%recordSize]
		a := LoadUintptr(&r.Addr)
		if a == addr || a == 0 && (CompareAndSwapUintptr(&r.Addr, 0, addr) || LoadUintptr(&r.Addr) == addr) {
			return r
		}
	}
	AddUint64(&recordLost, 1)
	return nil
}
`

// atomicWrite finds the methods of sync/atomic's types that write.
var atomicWrite = regexp.MustCompile(`(?m)^func \(x \*\w+(?:\[T\])?\) (?:Store|Swap|CompareAndSwap|Add|And|Or)\([^{]*\{`)

// atomicWrites is how many there are: six for each of five types of integers, three for each of
// Bool and Pointer.
const atomicWrites = 36

// mutexEdits make the mutex count.
var mutexEdits = []gotool.Edit{
	{Find: "func (m *Mutex) Lock() {", Replace: "func (m *Mutex) Lock() {\n\tatomic.RecordLock(unsafe.Pointer(m))"},
	{Find: "func (m *Mutex) TryLock() bool {", Replace: "func (m *Mutex) TryLock() bool {\n\tif m.tryLock() {\n\t\tatomic.RecordLock(unsafe.Pointer(m))\n\t\treturn true\n\t}\n\treturn false\n}\n\nfunc (m *Mutex) tryLock() bool {"},
}

// writeOverlay writes changed files of the standard library into dir, and returns the name of the
// file for go build -overlay.
func writeOverlay(dir string) (string, error) {
	if _, err := gotool.LeaveCache(dir); err != nil {
		return "", err
	}
	o, err := gotool.NewOverlay(dir)
	if err != nil {
		return "", err
	}
	types, err := os.ReadFile(o.Std("sync/atomic/type.go"))
	if err != nil {
		return "", err
	}
	if n := len(atomicWrite.FindAll(types, -1)); n != atomicWrites {
		return "", fmt.Errorf("sync/atomic has %d methods that write, want %d: is this a Go version nobody has tried?", n, atomicWrites)
	}
	writes := atomicWrite.ReplaceAllString(string(types), "$0 recordWrite(unsafe.Pointer(x));")
	if err := o.Put(o.Std("sync/atomic/type.go"), writes); err != nil {
		return "", err
	}
	if err := o.Put(o.Std("sync/atomic/recycling_record.go"), recorder); err != nil {
		return "", err
	}
	if err := o.Edit("internal/sync/mutex.go", mutexEdits...); err != nil {
		return "", err
	}
	return o.Write()
}
