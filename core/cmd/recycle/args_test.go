package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestArgumentsAreSplitAsTheGoCommandDoes(t *testing.T) {
	for line, want := range map[string]command{
		"build":                              {},
		"build .":                            {packages: f(".")},
		"build -v -o out ./a ./b":            {flags: f("-v -o out"), packages: f("./a ./b")},
		"build -C dir -race":                 {chdir: "dir", flags: f("-race")},
		"build -C=dir --tags a,b .":          {chdir: "dir", flags: f("--tags a,b"), packages: f(".")},
		"run . -x y":                         {packages: f("."), rest: f("-x y")},
		"run a.go b.go c -d":                 {packages: f("a.go b.go"), rest: f("c -d")},
		"run -exec prog ./a x.go":            {flags: f("-exec prog"), packages: f("./a"), rest: f("x.go")},
		"build -v -- ./a ./b":                {flags: f("-v --"), packages: f("./a ./b")},
		"run -- ./a -x":                      {flags: f("--"), packages: f("./a"), rest: f("-x")},
		"test -v -- ./a":                     {flags: f("-v"), rest: f("-- ./a")},
		"test":                               {},
		"test -run X ./... -v -args -a b":    {flags: f("-run X"), packages: f("./..."), rest: f("-v -args -a b")},
		"test ./a ./b -race -count 2":        {packages: f("./a ./b"), rest: f("-race -count 2")},
		"test -args a":                       {rest: f("-args a")},
		"test -vet off -bench . -benchmem .": {flags: f("-vet off -bench . -benchmem"), packages: f(".")},
		"install a.b/c@v1":                   {packages: f("a.b/c@v1")},
	} {
		words := strings.Fields(line)
		want.verb = words[0]
		got, err := parse(words[0], words[1:])
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if normal(got) != normal(&want) {
			t.Errorf("%s is\n%s, want\n%s", line, normal(got), normal(&want))
		}
		var without []string
		for _, w := range words {
			if want.chdir == "" || !strings.Contains(w, "dir") && w != "-C" {
				without = append(without, w)
			}
		}
		if args := got.args(nil); !reflect.DeepEqual(args, without) {
			t.Errorf("%s is passed on as %s", line, args)
		}
	}
}

func f(s string) []string { return strings.Fields(s) }

func normal(c *command) string {
	return strings.Join([]string{c.verb, c.chdir, strings.Join(c.flags, " "), strings.Join(c.packages, " "), strings.Join(c.rest, " ")}, " | ")
}

func TestFlagsAreFoundAndRemoved(t *testing.T) {
	c, err := parse("test", f("-mod=mod -tags a --mod vendor . -race -modfile x.mod modfile=y -args -mod readonly"))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := c.value("mod"); v != "vendor" || !ok {
		t.Errorf("-mod is %q, %v", v, ok)
	}
	if v, ok := c.value("modfile"); v != "x.mod" || !ok {
		t.Errorf("-modfile is %q, %v", v, ok)
	}
	if _, ok := c.value("overlay"); ok {
		t.Error("there is an -overlay")
	}
	if got := strings.Join(c.listFlags(), " "); got != "-mod=mod -tags a --mod vendor -race -modfile x.mod" {
		t.Errorf("go list gets %s", got)
	}
	c.without("mod")
	c.without("modfile")
	if got := strings.Join(c.args(f("-new")), " "); got != "test -new -tags a . -race modfile=y -args -mod readonly" {
		t.Errorf("left is %s", got)
	}
}

func TestVersionsAreCompared(t *testing.T) {
	ordered := f("v0.0.0-20200101000000-abcdefabcdef v0.0.0 v0.1.0-alpha v0.1.0-alpha.1 v0.1.0-alpha.beta v0.1.0-beta.2 v0.1.0-beta.11 v0.1.0-rc.1 v0.1.0 v0.1.1 v0.2.0 v0.10.0 v1.0.0 v1.0.1-0.20200101000000-abcdefabcdef v2.0.0+incompatible")
	for i, a := range ordered {
		for j, b := range ordered {
			if got := compareVersions(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	if !newer("v0.1.0", "") || newer("v0.1.0", "v0.1.0") {
		t.Error("newer is wrong about none and the same")
	}
}

// A released command does not have go.mod to read this from.
func TestLanguageOfCore(t *testing.T) {
	c, err := findCore("")
	if err != nil {
		t.Fatal(err)
	}
	if c.language != coreLanguage {
		t.Errorf("the go line in go.mod of core has the version %s, and the constant is %s", c.language, coreLanguage)
	}
}
