// Package orchestrion
package orchestrion

import _ "github.com/recycling-go/recycling/core/auto"
