package proxyproto_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"

	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A server of net/http behind a proxy on the same machine.
func ExampleConfig_NewListener() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	proxies := &proxyproto.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	pl, err := proxies.NewListener(l)
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello,", r.RemoteAddr)
	})}
	go srv.Serve(pl)
	defer srv.Close()

	proxy, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer proxy.Close()
	io.WriteString(proxy, "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET / HTTP/1.0\r\n\r\n")
	response, err := io.ReadAll(proxy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", response[len(response)-len("hello, 192.0.2.1:56324\n"):])
	// Output: hello, 192.0.2.1:56324
}
