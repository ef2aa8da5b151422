package tasktest

import "time"

// SetPatience changes how long every wait may take.
func SetPatience(d time.Duration) { patience = d }
