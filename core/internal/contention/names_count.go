//go:build recycling_count

package main

import (
	"reflect"
	"strings"
	"unsafe"

	recycling "github.com/recycling-go/recycling/core"
)

// A name says what is at an address.
type name struct{ class, path string }

// Classes: see main.go.
const (
	all   = "all"
	shard = "shard"
	own   = "own"
)

// classes are the classes of everything inside of certain types.
var classes = map[string]string{
	"engine.shard":   shard,
	"engine.stayers": shard,
	"permits.Share":  shard,
	"park.Set":       shard,
	"http1.Conn":     own,
	"park.Conn":      own,
	"http1.Worker":   own,
}

// classOf returns the class of what is inside of a value of type t, or an empty string if t does
// not say.
func classOf(t reflect.Type) string {
	s := t.String()
	if strings.HasPrefix(s, "pool.Pool[") {
		return shard
	}
	if strings.HasPrefix(s, "pool.worker[") {
		return own
	}
	if t.Kind() == reflect.Struct && t.Name() == "" && t.NumField() > 0 && t.Field(0).Name == "n" {
		return shard // a part of an http1.Counter
	}
	return classes[s]
}

// A walker finds the words in all that can be reached from a value.
type walker struct {
	names   map[uintptr]name
	visited map[visit]bool
	next    []step // breadth first: what is nearest to the server gives the name
}

type visit struct {
	addr uintptr
	t    reflect.Type
}

type step struct {
	v reflect.Value
	name
}

// nameWords returns the names of all words that can be reached from srv, and how many shards serve
// descriptors.
func nameWords(srv *recycling.Server) (map[uintptr]name, int) {
	w := &walker{map[uintptr]name{}, map[visit]bool{}, nil}
	w.next = []step{{reflect.ValueOf(srv), name{all, "Server"}}}
	shards := 0
	for len(w.next) > 0 {
		s := w.next[0]
		w.next = w.next[1:]
		if strings.HasSuffix(s.path, ".parkingSchedulers") && s.v.Kind() == reflect.Slice {
			shards = s.v.Len()
		}
		w.step(s)
	}
	return w.names, shards
}

// step looks at one value, and adds those inside.
func (w *walker) step(s step) {
	v := s.v
	add := func(v reflect.Value, path string) {
		if v.CanAddr() { // gives access to private fields
			v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
		}
		w.next = append(w.next, step{v, name{s.class, path}})
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			add(v.Elem(), s.path)
		}
	case reflect.Slice, reflect.Array:
		if !holds(v.Type().Elem()) {
			return
		}
		for i := range v.Len() {
			add(v.Index(i), s.path+"[]")
		}
	case reflect.Struct:
		w.enter(s, add)
	}
}

func (w *walker) enter(s step, add func(reflect.Value, string)) {
	v, t := s.v, s.v.Type()
	if c := classOf(t); c != "" && s.class != own {
		s.class = c
	}
	if short := t.String(); s.class == own && classes[short] == own || strings.HasPrefix(short, "pool.claimBatch[") {
		s.path = strings.SplitN(short, "[", 2)[0] // there are many ways to it
	}
	if v.CanAddr() {
		at := visit{v.UnsafeAddr(), t}
		if w.visited[at] {
			return
		}
		w.visited[at] = true
		pkg := t.PkgPath()
		if pkg == "sync/atomic" || pkg == "sync" && t.Name() == "Mutex" {
			if _, ok := w.names[at.addr]; !ok {
				w.names[at.addr] = s.name
			}
			if load := v.Addr().MethodByName("Load"); strings.HasPrefix(t.Name(), "Pointer[") && load.IsValid() {
				w.next = append(w.next, step{load.Call(nil)[0], s.name})
			}
			return
		}
		if strings.HasPrefix(pkg, "runtime") || pkg == "time" || pkg == "reflect" {
			return
		}
	}
	for i := range t.NumField() {
		f := v.Field(i)
		if f.CanAddr() {
			f = reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
		}
		w.next = append(w.next, step{f, name{s.class, s.path + "." + t.Field(i).Name}})
	}
}

// holds reports whether values of type t may hold words of interest.
func holds(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Array, reflect.Struct:
		return true
	}
	return false
}

// unnamed returns the name of a word that cannot be reached from the server, and was used count
// times while there were that many requests.
func unnamed(addr uintptr, count, requests uint64) name {
	switch {
	case addr < 1<<32: // on Linux, the data of the program is in front, and the heap far behind
		return name{all, "a global variable"}
	case count > requests/20: // more than a request, a connection or a worker can have used
		return name{all, "unknown"}
	}
	return name{own, "a request that is over, or a worker"}
}
