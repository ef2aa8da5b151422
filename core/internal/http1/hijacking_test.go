package http1

import "testing"

func TestNoneIsClosedWhenTheLastHandlerReturns(t *testing.T) {
	var h HandlerCount
	<-h.None()
	h.begin()
	h.begin()
	one, two := h.None(), h.None()
	h.end()
	for _, none := range []<-chan struct{}{one, two} {
		select {
		case <-none:
			t.Error("it is closed while a handler runs")
		default:
		}
	}
	h.end()
	<-one
	<-two
	<-h.None()
	if n := h.N(); n != 0 {
		t.Errorf("%d handlers are counted, want none", n)
	}
}
