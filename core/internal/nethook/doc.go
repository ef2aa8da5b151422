// Package nethook patches a copy of package net/http so that package auto serves its http.Servers.
//
// The copy has a hook at the beginning of the methods Serve, Shutdown, Close and
// SetKeepAlivesEnabled of http.Server. Where the hooks go is found in the syntax tree. They are
// inserted into existing lines, so that every line keeps its number. One more file declares what
// they call.
//
// Package auto sets the hooks. It refers to the variable by its linker symbol, so that it also
// compiles and links, without an effect, where net/http is not replaced. The rules of
// adapters/orchestrion have the same declarations.
//
// The variable recyclingHooks1 and the constant Hooks1 of package auto end in the version of the
// hooks, which must change with the declarations in hooks.go.txt.
package nethook

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
)

// Hooks is the text of the file that is added to the copy of net/http.
//
//go:embed hooks.go.txt
var Hooks string

// tested are the Go versions that the conformance tests have been run with.
var tested = []string{"1.25", "1.26", "1.27"}

var release = regexp.MustCompile(`^go(1\.[0-9]+)(\.[0-9]+)?([ -].*)?$`)

// Tested returns an error if version, such as "go1.26.8", is not a release of a Go version that
// this package has been tested with.
func Tested(version string) error {
	if m := release.FindStringSubmatch(version); m != nil && slices.Contains(tested, m[1]) {
		return nil
	}
	return fmt.Errorf("%s has not been tested; tested are the releases of Go %s to %s", version, tested[0], tested[len(tested)-1])
}
