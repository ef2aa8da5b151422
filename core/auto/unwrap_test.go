package auto

import (
	"net"
	"reflect"
	"testing"
)

type (
	embeds  struct{ *net.TCPListener }
	another struct{ *net.TCPListener }
	hasMore struct {
		*net.TCPListener
		more int
	}
	embedsAny struct{ net.Listener }
)

func TestOnlyKnownListenersAreUnwrapped(t *testing.T) {
	tcp := new(net.TCPListener)
	path := reflect.TypeFor[embeds]().PkgPath()
	types := []string{path + ".embeds", path + ".hasMore", path + ".embedsAny"}
	for _, c := range []struct {
		l    net.Listener
		want bool
	}{
		{embeds{tcp}, true},
		{&embeds{tcp}, true},
		{embedsAny{tcp}, true},
		{another{tcp}, false},
		{hasMore{tcp, 1}, false},
		{embeds{}, false},
		{(*embeds)(nil), false},
		{embedsAny{&net.UnixListener{}}, false},
		{tcp, false},
	} {
		got := unwrapTypes(c.l, types)
		if (got == net.Listener(tcp) && c.l != net.Listener(tcp)) != c.want || !c.want && got != c.l {
			t.Errorf("%T %v becomes %T", c.l, c.l, got)
		}
	}
}
