package gotool

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Commands that run at the same time share a folder.
func TestLinksAreMadeAtTheSameTime(t *testing.T) {
	to := t.TempDir()
	for i := range 100 {
		link := filepath.Join(t.TempDir(), fmt.Sprint(i))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := symlink(to, link); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := symlink(t.TempDir(), link); err == nil {
			t.Error("a link to another folder is taken for this one")
		}
		os.Remove(link)
	}
}
