package park

import "testing"

// A connection never changes its kind in any other way than these.
func TestKindsChangeOnlyAsDrawn(t *testing.T) {
	drawn := map[[2]kind]bool{
		{absent, descriptor}: true,
		{absent, foreign}:    true,
		{descriptor, polled}: true,
		{descriptor, socket}: true,
		{polled, socket}:     true,
		{descriptor, absent}: true,
		{polled, absent}:     true,
	}
	for from := absent; from <= foreign; from++ {
		for to := absent; to <= foreign; to++ {
			if got, want := from.mayBecome(to), drawn[[2]kind{from, to}]; got != want {
				t.Errorf("from %d to %d: %v, want %v", from, to, got, want)
			}
		}
	}
}
