package longrun

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// A site says where the simulated servers are: a local one, and an external one, which responds
// slowly.
type site struct {
	HTTP  string // the URL of the local server, without a path
	HTTPS string // the URL of the external server
	Cert  []byte // the external server's certificate in DER, which clients must trust
}

// page is the page that fetch and https fetch.
const page = "<html><head><title>Test</title></head><body><p>Test</p></body></html>"

// newsItems is the number of items in the document. Each is about 1 KB.
const newsItems = 100

// A feed is the document that xml fetches.
type feed struct {
	XMLName xml.Name `xml:"rss"`
	Items   []item   `xml:"channel>item"`
}

type item struct {
	Title       string `xml:"title"`
	Link        string `xml:"link"`
	Description string `xml:"description"`
	Date        string `xml:"pubDate"`
}

func news() ([]byte, error) {
	var f feed
	for i := range newsItems {
		f.Items = append(f.Items, item{
			Title:       fmt.Sprintf("News number %d of today", i),
			Link:        fmt.Sprintf("https://example.org/news/%d?from=feed&n=%d", i, i),
			Description: strings.Repeat("It is told, with <b>emphasis</b> & at length, that a lot has happened. ", 10),
			Date:        "Mon, 02 Jan 2006 15:04:05 GMT",
		})
	}
	return xml.MarshalIndent(f, "", "\t")
}

// serveSite runs the process of the simulated servers: it prints the address of the local one, and
// serves until its standard input ends. To every line on standard input, it replies with its site.
func serveSite(latency time.Duration) error {
	s, err := openSite(latency)
	if err != nil {
		return err
	}
	here, err := json.Marshal(s)
	if err != nil {
		return err
	}
	fmt.Println(strings.TrimPrefix(s.HTTP, "http://"))
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Printf("%s\n", here)
	}
	return in.Err()
}

// openSite starts the simulated servers. They serve until the process ends.
func openSite(latency time.Duration) (s site, err error) {
	doc, err := news()
	if err != nil {
		return s, err
	}
	cert, err := selfsigned.New("127.0.0.1")
	if err != nil {
		return s, err
	}
	local, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	external, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		local.Close()
		return s, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) })
	mux.HandleFunc("GET /news.xml", func(w http.ResponseWriter, r *http.Request) { w.Write(doc) })
	quiet := log.New(io.Discard, "", 0) // drops messages about interrupted clients
	go exitAfter((&http.Server{Handler: mux, ErrorLog: quiet}).Serve, local)
	go exitAfter((&http.Server{Handler: slow(mux, latency), ErrorLog: quiet}).Serve,
		tls.NewListener(external, &tls.Config{Certificates: []tls.Certificate{cert}}))
	return site{
		HTTP:  "http://" + local.Addr().String(),
		HTTPS: "https://" + external.Addr().String(),
		Cert:  cert.Certificate[0],
	}, nil
}

// exitAfter calls serve, and exits the process when it returns, because serve must not return.
func exitAfter(serve func(net.Listener) error, l net.Listener) {
	fmt.Fprintln(os.Stderr, "longrun: a simulated server has ended:", serve(l))
	os.Exit(1)
}

// slow returns a handler that waits for latency, and then calls h.
func slow(h http.Handler, latency time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sleep(r.Context(), latency) == nil {
			h.ServeHTTP(w, r)
		}
	})
}
