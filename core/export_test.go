package recycling

import "github.com/recycling-go/recycling/core/internal/park"

// Parks reports whether connections can be parked on this system, as built.
const Parks = park.Supported

// KeptDescriptors returns how many descriptors connections leave to the application.
var KeptDescriptors = keptDescriptors

// Release, Version and VersionIn export version.go.
const Release = release

var (
	Version   = version
	VersionIn = versionIn
)
