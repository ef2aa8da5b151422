package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cleans folders for caches may delete single files. What the go command has changed stays.
func TestStoreWritesWhatIsMissing(t *testing.T) {
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"a": "1", "in/b": "2", "c": "3"}
	dir, err := s.folder(files)
	if err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(filepath.Join(dir, "in"))
	os.Remove(filepath.Join(dir, "a"))
	os.WriteFile(filepath.Join(dir, "c"), []byte("changed"), 0o666)
	if again, err := s.folder(files); err != nil || again != dir {
		t.Fatalf("%s, %v; want %s", again, err, dir)
	}
	for name, want := range map[string]string{"a": "1", "in/b": "2", "c": "changed"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v; want %q", name, got, err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(string(s), "tmp*")); len(left) > 0 {
		t.Errorf("left over: %s", left)
	}
}

func TestFolderForCachesThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(name, file)
	}
	if _, err := openStore(""); err == nil || !strings.Contains(err.Error(), "name another with the flag -dir: ") {
		t.Errorf("the error is %v", err)
	}
}
