package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestDoctorFindsWhatStartsServers(t *testing.T) {
	a := newApp(t, []string{"doctor.txt"}, nil)
	out, _ := a.recycle("doctor", ".")
	lines := regexp.MustCompile(`  +`).ReplaceAllString(out, " | ")
	for _, want := range []string{
		"main.go:18 | http.ListenAndServe | recycled",
		"main.go:19 | (*http.Server).ListenAndServeTLS | recycled",
		"main.go:20 | (*http.Server).Serve | recycled",
		"main.go:21 | (*http.Server).ListenAndServe | recycled",
		"main.go:22 | fcgi.Serve | other",
		"main.go:25 | main.own | listener",
		"main.go:29 | http.ListenAndServe | init",
		"main.go:30 | http.ListenAndServe | recycled",
		"dep/dep.go:6 | http.Serve | recycled",
	} {
		if !strings.Contains(lines, want+"\n") {
			t.Errorf("there is no line %q", want)
		}
	}
	if n := strings.Count(lines, " | "); n != 2*9 {
		t.Errorf("there are %d lines, want 9", n/2)
	}
	for _, v := range []string{"recycled (6): ", "init (1): ", "listener (1): ", "other (1): "} {
		if !strings.Contains(out, "\n"+v) {
			t.Errorf("there is no explanation %q", v)
		}
	}
	if t.Failed() {
		t.Log("\n" + out)
	}
}

func TestDoctorOfAProgramWithoutServers(t *testing.T) {
	a := newApp(t, nil, module("1.25.0"))
	a.write("main.go", "package main\n\nimport \"net/http\"\n\nfunc main() { http.Get(\"http://localhost\") }\n")
	if out, _ := a.recycle("doctor"); out != "no place starts a server\n" {
		t.Errorf("it says %q", out)
	}
}
