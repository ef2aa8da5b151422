package main

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const listenerPath = "github.com/recycling-go/recycling/listener"

// publish writes a version of a module, in dir, to a folder that the go command can use as a module
// proxy (go help goproxy).
func (a *app) publish(proxy, path, version, dir string, mod func(string) string) {
	a.Helper()
	to := filepath.Join(proxy, filepath.FromSlash(path), "@v")
	if err := os.MkdirAll(to, 0o777); err != nil {
		a.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		a.Fatal(err)
	}
	changed := mod(string(text))
	out, err := os.Create(filepath.Join(to, version+".zip"))
	if err != nil {
		a.Fatal(err)
	}
	defer out.Close()
	w := zip.NewWriter(out)
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, file)
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && name != "." {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if name == "go.mod" {
			text = []byte(changed)
		}
		f, err := w.Create(path + "@" + version + "/" + name)
		if err == nil {
			_, err = f.Write(text)
		}
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	if err := w.Close(); err != nil {
		a.Fatal(err)
	}
	for name, text := range map[string]string{
		version + ".mod":  changed,
		version + ".info": fmt.Sprintf(`{"Version":%q,"Time":"2026-01-02T03:04:05Z"}`, version),
	} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o666); err != nil {
			a.Fatal(err)
		}
	}
	list, err := os.OpenFile(filepath.Join(to, "list"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		a.Fatal(err)
	}
	defer list.Close()
	if _, err := fmt.Fprintln(list, version); err != nil {
		a.Fatal(err)
	}
}

// publishCore publishes core and listener, as a release of them would be, and lets the application
// take them from there.
func (a *app) publishCore(versions ...string) {
	a.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		a.Fatal(err)
	}
	proxy := a.path("out/proxy")
	replace := regexp.MustCompile(`(?m)^replace .*\n`)
	for _, v := range versions {
		release := func(mod string) string {
			mod = replace.ReplaceAllString(mod, "")
			return strings.ReplaceAll(mod, listenerPath+" v0.0.0", listenerPath+" "+v)
		}
		a.publish(proxy, corePath, v, filepath.Join(root, "core"), release)
		a.publish(proxy, listenerPath, v, filepath.Join(root, "listener"), release)
	}
	a.useProxy(proxy)
}

// useProxy makes the go command take modules from a folder, or else from what was downloaded
// before. Downloaded modules do not get into the user's cache.
func (a *app) useProxy(proxy string) {
	a.Helper()
	cache, _ := a.run("go", "env", "GOMODCACHE")
	a.env = append(a.env,
		"GOPROXY=file://"+proxy+",file://"+filepath.Join(strings.TrimSpace(cache), "cache", "download"),
		"GONOSUMDB=*", "GONOSUMCHECK=1", // With -trimpath, what has been compiled before is used again.
		"GOFLAGS=-modcacherw -trimpath -buildvcs=false", "GOMODCACHE="+a.path("out/cache"))
}

// The command is run as a user would who has not installed it. Which version of core a program has
// is what the go command would select: the newest of those that the application and the command
// require.
func TestNewestVersionWins(t *testing.T) {
	for _, of := range []struct{ required, run, wins string }{
		{"v0.8.0", "v0.9.0", "v0.9.0"},
		{"v0.9.0", "v0.8.0", "v0.9.0"},
	} {
		t.Run(of.required+" and "+of.run, func(t *testing.T) {
			a := newApp(t, []string{"uses.txt"}, nil)
			a.publishCore("v0.8.0", "v0.9.0")
			a.run("go", "get", corePath+"@"+of.required)
			a.run("go", "mod", "tidy")
			before := a.files()
			a.run("go", "run", corePath+"/cmd/recycle@"+of.run, "-dir", a.path("out/store"), "build", "-o", "out/app", ".")
			for name, text := range a.files() {
				if !strings.HasPrefix(name, "out/") && before[name] != text {
					t.Errorf("%s has changed to\n%s", name, text)
				}
			}
			out, _ := a.run(a.path("out/app"))
			a.says(out, "ok not doubled")
			info, _ := a.run("go", "version", "-m", "out/app")
			if !strings.Contains(info, "dep\t"+corePath+"\t"+of.wins+"\th1:") {
				t.Errorf("go version -m does not have version %s:\n%s", of.wins, info)
			}
		})
	}
}

// A program with a version is built without regard to the current folder.
func TestPackageWithAVersion(t *testing.T) {
	a := newApp(t, nil, nil)
	a.write("out/source/go.mod", "module example.com/public\n\ngo 1.21\n")
	a.unpack("facts.txt", "out/source/cmd/app/")
	proxy := a.path("out/proxy")
	a.publish(proxy, "example.com/public", "v1.2.3", a.path("out/source"), func(s string) string { return s })
	a.write("go.mod", "this is not a go.mod\n")
	os.Remove(a.path("go.mod"))
	a.useProxy(proxy)
	a.env = append(a.env, "GOBIN="+a.path("out/bin"))
	a.recycle("install", "example.com/public/cmd/app@v1.2.3")
	out, _ := a.run(a.path("out/bin/app"))
	a.says(out, "server: recycling")
	a.says(out, "loop: 3")
	info, _ := a.run("go", "version", "-m", "out/bin/app")
	for _, want := range []string{"mod\texample.com/public\tv1.2.3\n", "dep\t" + corePath, "httpmuxgo121=1"} {
		if !strings.Contains(info, want) {
			t.Errorf("go version -m has no %q:\n%s", want, info)
		}
	}
	out, _ = a.recycle("run", "example.com/public/cmd/app@latest", "-x")
	a.says(out, "args: -x")
	if out := a.fails("install", "example.com/public/cmd/app@v1.9.9"); !strings.Contains(out, "v1.9.9") {
		t.Errorf("a version that does not exist: %s", out)
	}
}
