package recyclingtest

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
)

var informational = []behaviour{
	earlyHintsAreSentAtOnce,
	informationalResponsesMayBeMany,
	informationalHeadersAreKeptForTheResponse,
	switchingProtocolsIsFinal,
	informationalResponsesAreSeenByTheClient,
}

func earlyHintsAreSentAtOnce(t *test) {
	g := t.newGate()
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		<-g
		w.Header().Del("Link")
		io.WriteString(w, "body")
	}).dial(t)
	c.send(get("/"))
	c.bytes("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
	g.open()
	if a := c.wants(200, "body"); a.Header.Get("Link") != "" {
		t.Errorf("header is %v", a.Header)
	}
	c.goesOnWith(103)
}

// goesOnWith is goesOn for a handler that sends these informational responses first.
func (c *wire) goesOnWith(status ...int) {
	c.t.Helper()
	c.send(get("/goes-on"))
	for _, status := range status {
		c.wants(status, "")
	}
	c.answer("GET")
}

func informationalResponsesMayBeMany(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(102)
		w.WriteHeader(103)
		w.WriteHeader(103)
		w.WriteHeader(199)
		w.WriteHeader(404)
	}).dial(t)
	c.send(get("/"))
	c.bytes("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 199 status code 199\r\n\r\n")
	c.wants(404, "")
	c.goesOnWith(102, 103, 103, 199)
}

func informationalHeadersAreKeptForTheResponse(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "1")
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Transfer-Encoding", "identity")
		w.WriteHeader(103)
		w.Header().Del("Transfer-Encoding")
		w.Header().Set("X-B", "2")
		io.WriteString(w, "body")
	}).dial(t)
	c.send(get("/"))
	c.bytes("HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n")
	if a := c.wants(200, "body"); a.Header.Get("X-A") != "1" || a.Header.Get("X-B") != "2" {
		t.Errorf("header is %v", a.Header)
	}
}

func switchingProtocolsIsFinal(t *test) {
	result := make(chan error, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		result <- err
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := rw.ReadString('\n')
		io.WriteString(conn, line)
	})
	for _, connection := range []string{"Connection: Upgrade", "Connection: close, Upgrade"} {
		c := s.dial(t)
		c.send(get("/", connection, "Upgrade: echo") + "hello\n")
		if err := receive(t, result, "result of Hijack"); err != nil {
			t.Fatalf("Hijack: %v", err)
		}
		head := c.head()
		if !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nDate: ") || strings.Count(head, "\r\n") != 5 {
			t.Errorf("header is %q", head)
		}
		c.bytes("hello\n")
		c.ends()
	}
}

func informationalResponsesAreSeenByTheClient(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "x")
		w.WriteHeader(103)
		bufio.NewReader(r.Body).ReadByte()
		io.WriteString(w, "body")
	})
	var got []int
	r, err := http.NewRequest("POST", origin, strings.NewReader("hello"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.Header.Set("Expect", "100-continue")
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		got = append(got, code)
		return nil
	}}
	client := s.client(t)
	client.Transport.(*http.Transport).ExpectContinueTimeout = patience
	resp, err := client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if len(got) == 0 || got[0] != 103 {
		t.Errorf("informational responses are %v", got)
	}
}
