package main

import (
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// serve serves HTTP/2 on a loopback port. With recycling.Goroutine, net/http serves it.
func serve(strategy recycling.Strategy, secure bool) (port string, stop func(), err error) {
	certificate, err := selfsigned.New("127.0.0.1")
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "hello")
		}),
		Protocols: new(http.Protocols),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	s := &recycling.Server{HTTP: srv, Strategy: strategy}
	served := make(chan error, 1)
	if secure {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
		go func() { served <- s.ServeTLS(l, "", "") }()
	} else {
		go func() { served <- s.Serve(l) }()
	}
	_, port, err = net.SplitHostPort(l.Addr().String())
	return port, func() {
		s.Close()
		<-served
	}, err
}

// results holds the failure of each case, or "" if the case passed. Skipped cases are not included.
type results map[string]string

func (r results) passed() (n int) {
	for _, failure := range r {
		if failure == "" {
			n++
		}
	}
	return n
}

// run runs the suite against a server on port.
func (o options) run(dir, port string, secure bool) (results, error) {
	report := filepath.Join(dir, "report.xml")
	args := []string{"-p", port, "-j", report, "-o", strconv.Itoa(max(int(o.timeout.Seconds()), 1))}
	if secure {
		args = append(args, "-t", "-k")
	}
	if o.strict {
		args = append(args, "-S")
	}
	cmd := exec.Command(filepath.Join(dir, "h2spec"), append(args, o.specs...)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // it exits with 1 if a case fails
		return nil, err
	}
	defer os.Remove(report)
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return parse(text)
}

// parse parses a report in JUnit format.
func parse(text []byte) (results, error) {
	var report struct {
		Suites []struct {
			Package string `xml:"package,attr"`
			Cases   []struct {
				Package string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Skipped *struct{} `xml:"skipped"`
				Failure *string   `xml:"failure"`
				Error   *string   `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &report); err != nil {
		return nil, err
	}
	r := results{}
	for _, s := range report.Suites {
		for _, c := range s.Cases {
			if c.Skipped != nil {
				continue
			}
			failure := ""
			for _, text := range []*string{c.Failure, c.Error} {
				if text != nil {
					failure += "failed: " + strings.Join(strings.Fields(*text), " ")
				}
			}
			name := s.Package + " " + c.Name
			for n := 2; ; n++ {
				if _, taken := r[name]; !taken {
					break
				}
				name = fmt.Sprintf("%s %s (%d)", s.Package, c.Name, n)
			}
			r[name] = failure
		}
	}
	return r, nil
}
