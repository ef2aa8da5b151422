package server

import (
	"os/exec"
	"strings"
	"testing"
)

func TestWrongSpec(t *testing.T) {
	for want, s := range map[string]Spec{
		`Server is "apache"`:       {Server: "apache"},
		`Server is ""`:             {},
		`Router is "martini"`:      {Server: "recycling", Router: "martini"},
		`Router is "chi"`:          {Server: "fasthttp", Router: "chi"},
		`Conns is -1`:              {Server: "fixed", Conns: -1},
		`Procs is -2`:              {Server: "nginx", Procs: -2},
		`TLS is true, but hertz`:   {Server: "hertz", TLS: true},
		`Router is "mux", but ngi`: {Server: "nginx", Router: "mux"},
	} {
		p, err := Start(t.Context(), s)
		if err == nil {
			p.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", s, err, want)
		}
	}
}

func TestAvailable(t *testing.T) {
	for name, k := range kinds {
		if name == "hunchentoot" && testing.Short() {
			continue
		}
		switch ok, why := Available(name); {
		case k.command == nil && !ok, ok && why != "", !ok && !strings.Contains(why, name+" is not installed"):
			t.Errorf("%s: %v, %q", name, ok, why)
		}
	}
	if _, err := exec.LookPath("nginx"); err == nil {
		if ok, why := Available("nginx"); !ok {
			t.Error(why)
		}
	}
	if ok, why := Available("apache"); ok || !strings.Contains(why, "apache") {
		t.Errorf("apache: %v, %q", ok, why)
	}
}

func TestServes(t *testing.T) {
	for _, test := range []struct {
		server, path string
		want         bool
	}{
		{"fixed", "/yo", true}, {"fixed", "/work/1", true}, {"fixed", "/", false}, {"hertz", "/sleep/1", true},
		{"floor", "/sleep/1", true}, {"floor", "/work/1", false}, {"nginx", "/yo", true}, {"nginx", "/yo/1", false},
		{"nginx", "/sleep/1", false}, {"tornado", "/sleep/1", true}, {"apache", "/yo", false},
		{"nbio", "/bytes/1", true}, {"hertz", "/upload", true}, {"gnet", "/upload", false}, {"floor", "/bytes/1", false},
	} {
		if got := Serves(test.server, test.path); got != test.want {
			t.Errorf("Serves(%q, %q) is %v", test.server, test.path, got)
		}
	}
}
