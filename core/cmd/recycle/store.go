package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A store is a folder for files that the go command reads. Their names depend on their contents, so
// that commands which run at the same time do not disturb each other, and that the go command finds
// what it has built before.
type store string

// openStore opens the store in dir, or in the user's cache folder if dir is empty.
func openStore(dir string) (store, error) {
	hint := "flag -dir"
	if dir == "" {
		hint = "the folder for caches cannot be used: name another with the flag -dir"
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("there is no folder for caches: name one with flag -dir: %w", err)
		}
		dir = filepath.Join(cache, "recycle")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	// The go command compares paths without symbolic links.
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("%s: %w", hint, err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return store(dir), nil
}

func sum(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d\n%s", len(p), p)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// folder returns the path of a folder with these files, by name. The folder appears when all of
// them have been written.
func (s store) folder(files map[string]string) (string, error) {
	return s.folderWith(files, func(string) error { return nil })
}

// folderWith is like folder, and lets complete add to the folder. What complete adds must depend on
// parts only.
func (s store) folderWith(files map[string]string, complete func(dir string) error, parts ...string) (string, error) {
	for _, name := range sortedKeys(files) {
		parts = append(parts, name, files[name])
	}
	dir := filepath.Join(string(s), sum(parts...))
	if _, err := os.Stat(dir); err == nil {
		return dir, s.restore(dir, files)
	}
	tmp, err := os.MkdirTemp(string(s), "tmp")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := writeFiles(tmp, files); err != nil {
		return "", err
	}
	if err := complete(tmp); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", err
		} // otherwise another command was faster
	}
	return dir, nil
}

// writeFiles writes files, by name, to a folder.
func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), 0o666)); err != nil {
			return err
		}
	}
	return nil
}

// readIfThere returns the text of a file, which is empty if there is no such file.
func readIfThere(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// restore writes those of the files that are no longer there, since what cleans the folder for
// caches may delete one by one. What is there stays, because the go command adds to go.work.sum.
func (s store) restore(dir string, files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		tmp, err := os.CreateTemp(string(s), "tmp")
		if err != nil {
			return err
		}
		defer os.Remove(tmp.Name())
		_, err = tmp.WriteString(text)
		err = errors.Join(err, tmp.Chmod(0o644), tmp.Close(), os.MkdirAll(filepath.Dir(file), 0o777), os.Rename(tmp.Name(), file))
		if err != nil {
			return err
		}
	}
	return nil
}
