package certs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long the files must be left alone before they are loaded, so that both files
	// of a pair are complete in most cases.
	settle = 100 * time.Millisecond
	// settleMax is the longest wait, if other files in the folders keep changing.
	settleMax = 900 * time.Millisecond
	// lookInterval is how often the files are loaded without any event: some file systems have
	// none, such as NFS for changes by other machines.
	lookInterval = time.Minute
)

// watch loads the files after changes until Close.
func (s *Source) watch() {
	defer close(s.stopped)
	defer s.closeWatcher()
	var events chan fsnotify.Event
	var errs chan error
	if s.watcher != nil {
		events, errs = s.watcher.Events, s.watcher.Errors
	}
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	quiet := time.NewTimer(settle)
	defer quiet.Stop()
	quiet.Stop()
	var first time.Time // of the events that are not dealt with yet; zero if there are none
	for {
		select {
		case <-s.stop:
			return
		case <-events:
			if first.IsZero() {
				first = time.Now()
			}
			if wait := min(settle, settleMax-time.Since(first)); wait > 0 {
				quiet.Reset(wait)
			}
			continue
		case err := <-errs: // events may be lost
			s.config.log().Error("certs: watching files", "err", err)
		case <-quiet.C:
		case <-look.C:
		}
		first = time.Time{}
		s.follow() // before the files are read, so that no later change is missed
		s.Reload() // which logs
	}
}

func (s *Source) closeWatcher() {
	if s.watcher != nil {
		s.watcher.Close()
	}
}

// A folder is one that is being watched.
type folder struct{ info fs.FileInfo }

// follow watches every folder in which a change may affect one of the files: the folder of the file
// itself, and those of the symbolic links on the way to it. Files are not watched themselves,
// because they may be replaced.
func (s *Source) follow() {
	if s.watcher == nil {
		return
	}
	wanted := make(map[string]folder)
	for _, path := range []string{s.config.CertFile, s.config.KeyFile, s.config.ClientCAFile} {
		if path == "" {
			continue
		}
		for _, dir := range foldersOf(path) {
			if info, err := os.Stat(dir); err == nil {
				wanted[dir] = folder{info}
			}
		}
	}
	live := s.watcher.WatchList() // a watch ends with its folder, whose inode number may be used again
	for dir, old := range s.watched {
		if now, ok := wanted[dir]; !ok || !os.SameFile(old.info, now.info) || !slices.Contains(live, dir) {
			s.watcher.Remove(dir) // it may be gone
			delete(s.watched, dir)
		}
	}
	for dir, now := range wanted {
		if _, ok := s.watched[dir]; ok {
			continue
		}
		if err := s.watcher.Add(dir); err != nil {
			s.config.log().Error("certs: cannot watch a folder; looks at it once a minute", "folder", dir, "err", err)
			continue
		}
		s.watched[dir] = now
	}
}

// maxLinks is how many symbolic links a path may have, as on Linux (path_resolution(7)).
const maxLinks = 40

// foldersOf returns the folders that contain the file and each symbolic link on the way to it.
func foldersOf(path string) (dirs []string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	links := 0
	root := filepath.VolumeName(path) + string(filepath.Separator)
	at, rest := root, parts(path)
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, part)
		info, err := os.Lstat(next)
		if err != nil { // it may appear
			return append(dirs, at)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if len(rest) == 0 {
				dirs = append(dirs, at)
			}
			at = next
			continue
		}
		dirs = append(dirs, at)
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return dirs
		}
		if filepath.IsAbs(target) {
			root = filepath.VolumeName(target) + string(filepath.Separator)
			at = root
		}
		rest = append(parts(target), rest...)
	}
	return dirs
}

// parts returns the elements of a path without its volume.
func parts(path string) []string {
	path = filepath.ToSlash(path[len(filepath.VolumeName(path)):])
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}
