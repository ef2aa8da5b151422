package engine

import "testing"

func TestAddressesOfOneIPv6NetworkCountAsOne(t *testing.T) {
	for _, x := range []struct{ one, other string }{
		{"[2001:db8:1:2::1]:80", "[2001:db8:1:2:ffff:ffff:ffff:ffff]:81"},
		{"[2001:db8:1:2::]:80", "[2001:db8:1:2::]:81"},
		{"[fe80::1%eth0]:80", "[fe80::2%eth1]:80"}, // the zone is a network interface of this host
		{"192.0.2.1:80", "192.0.2.1:81"},
		{"192.0.2.1:80", "[::ffff:192.0.2.1]:80"}, // on a socket for both versions
	} {
		one, ok := addrPrefix(x.one)
		other, ok2 := addrPrefix(x.other)
		if one != other || !ok || !ok2 {
			t.Errorf("%s counts as %v (%v), %s as %v (%v), want the same", x.one, one, ok, x.other, other, ok2)
		}
	}
	for _, x := range []struct{ one, other string }{
		{"[2001:db8:1:2::1]:80", "[2001:db8:1:3::1]:80"}, // the last bit of the network
		{"[2001:db8:1:2::1]:80", "[2001:db8:2:2::1]:80"},
		{"192.0.2.1:80", "192.0.2.2:80"},
		{"[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.2]:80"},
	} {
		one, _ := addrPrefix(x.one)
		if other, _ := addrPrefix(x.other); one == other {
			t.Errorf("%s and %s count as one, %v", x.one, x.other, one)
		}
	}
	for _, addr := range []string{"", "@", "pipe", "/run/socket", "192.0.2.1"} {
		if p, ok := addrPrefix(addr); ok {
			t.Errorf("%q counts as %v, want no limit", addr, p)
		}
	}
}
