package recyclingnats

import "testing"

// A write of a record may be done although its answer is lost. When it is repeated, the object with
// the output must not be taken for that of another attempt, and removed.
func TestRepeatedWriteKeepsItsOutput(t *testing.T) {
	var r record
	if changed, kept := r.complete("task", 1, nil, "object"); !changed || !kept || r.State != Done || r.Object != "object" {
		t.Errorf("changed %v, kept %v: %+v", changed, kept, r)
	}
	if changed, kept := r.complete("task", 1, nil, "object"); changed || !kept {
		t.Errorf("the same again: changed %v, kept %v; want false, true", changed, kept)
	}
	if changed, kept := r.complete("task", 2, nil, "other"); changed || kept || r.Object != "object" {
		t.Errorf("another attempt: changed %v, kept %v; want false, false", changed, kept)
	}
}
