package recycling

import "github.com/recycling-go/recycling/core/internal/park"

// Parks reports whether connections can be parked on this system, as built.
const Parks = park.Supported
