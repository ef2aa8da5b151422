package app

import (
	"io"
	"net/http"
	"os"
)

// FileSize is the size of the file to download, in bytes.
const FileSize = 64 << 20

// A File is what /download sends: a temporary file that consists of one hole, and so takes no disk
// space.
type File struct{ name string }

// NewFile makes the file. The caller must Remove it.
func NewFile() (*File, error) {
	f, err := os.CreateTemp("", "recycling-example-")
	if err != nil {
		return nil, err
	}
	err = f.Truncate(FileSize)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return &File{f.Name()}, nil
}

// Remove removes the file.
func (f *File) Remove() error { return os.Remove(f.name) }

// SendTo writes the first n bytes of the file to w. If w is an io.ReaderFrom, the kernel copies
// them (sendfile), because the net package recognizes an *os.File in an io.LimitedReader. SendTo
// opens the file for each download, because sendfile moves its offset.
func (f *File) SendTo(w io.Writer, n int64) error {
	file, err := os.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.CopyN(w, file, n)
	return err
}

// Innermost returns the server's own ResponseWriter, below all wrappers. Echo's and gin's wrappers
// hide its ReadFrom, and with it sendfile. Write the header through the framework first; otherwise
// the framework would write another one.
func Innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}
