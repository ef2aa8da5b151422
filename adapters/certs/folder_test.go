package certs_test

import (
	"os"
	"testing"
)

// A new folder may have the inode number of the one that was removed just before.
func TestFolderThatIsMadeAgainIsWatched(t *testing.T) {
	dir := mkdir(t, t.TempDir(), "tls")
	first := issue(t, "first", nil)
	put(t, dir, first)
	log, _ := newLog()
	s := load(t, config(dir, log))
	for range 3 {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"second", "third"} {
			next := issue(t, name, nil)
			put(t, dir, next)
			await(t, s, next)
		}
	}
}
