//go:build !recycling_count

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

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
var mutexEdits = [][2]string{
	{"func (m *Mutex) Lock() {", "func (m *Mutex) Lock() {\n\tatomic.RecordLock(unsafe.Pointer(m))"},
	{"func (m *Mutex) TryLock() bool {", "func (m *Mutex) TryLock() bool {\n\tif m.tryLock() {\n\t\tatomic.RecordLock(unsafe.Pointer(m))\n\t\treturn true\n\t}\n\treturn false\n}\n\nfunc (m *Mutex) tryLock() bool {"},
}

// writeOverlay writes changed files of the standard library into dir, and returns the name of the
// file for go build -overlay.
func writeOverlay(dir string) (string, error) {
	if err := gotool.LeaveCache(dir); err != nil {
		return "", err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src")
	replace := map[string]string{}
	put := func(name, text string) error {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		replace[filepath.Join(src, name)] = file
		return os.WriteFile(file, []byte(text), 0o666)
	}
	types, err := os.ReadFile(filepath.Join(src, "sync/atomic/type.go"))
	if err != nil {
		return "", err
	}
	if n := len(atomicWrite.FindAll(types, -1)); n != atomicWrites {
		return "", fmt.Errorf("sync/atomic has %d methods that write, want %d: is this a Go version nobody has tried?", n, atomicWrites)
	}
	mutex, err := os.ReadFile(filepath.Join(src, "internal/sync/mutex.go"))
	if err != nil {
		return "", err
	}
	text := string(mutex)
	for _, e := range mutexEdits {
		if strings.Count(text, e[0]) != 1 {
			return "", fmt.Errorf("internal/sync/mutex.go has no %q: is this a Go version nobody has tried?", e[0])
		}
		text = strings.Replace(text, e[0], e[1], 1)
	}
	for name, text := range map[string]string{
		"sync/atomic/type.go":             atomicWrite.ReplaceAllString(string(types), "$0 recordWrite(unsafe.Pointer(x));"),
		"sync/atomic/recycling_record.go": recorder,
		"internal/sync/mutex.go":          text,
	} {
		if err := put(name, text); err != nil {
			return "", err
		}
	}
	config, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, config, 0o666)
}
