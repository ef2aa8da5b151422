package recycling

import (
	"runtime/debug"
	"sync"
)

// release is the version of this source tree, or the next one. The release script sets it.
const release = "v0.1.0-dev"

const modulePath = "github.com/recycling-go/recycling/core"

// version is the version of this module that the program was built with.
var version = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return versionIn(info)
})

// versionIn returns the version of this module in info, which may be nil. A build from a work tree,
// by a workspace or a replace directive, has no version there: it is release.
func versionIn(info *debug.BuildInfo) string {
	if info == nil {
		return release
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path != modulePath {
			continue
		}
		if m.Replace != nil {
			m = m.Replace // a fork has a version, a folder has none
		}
		if m.Version != "" && m.Version != "(devel)" {
			return m.Version
		}
	}
	return release
}
