package listener_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/recycling-go/recycling/listener"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

func Example() {
	c := listener.Config{KeepAlive: time.Minute}
	l, err := c.Listen(context.Background(), "tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})}
	go srv.Serve(l)
	defer srv.Close()

	res, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(body))
	// Output: hello
}

// Behind a TCP load balancer that sends the PROXY protocol.
func ExampleConfig_proxyProtocol() {
	c := listener.Config{ProxyProtocol: &proxyproto.Config{
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}}
	l, err := c.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	balancer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer balancer.Close()
	io.WriteString(balancer, "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n")

	conn, err := l.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr())
	// Output: 192.0.2.1:56324
}
