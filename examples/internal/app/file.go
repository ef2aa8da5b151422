package app

import (
	"io"
	"net/http"
	"os"
)

// FileSize is how many bytes there are to download.
const FileSize = 64 << 20

// A File is what /download sends: a temporary file that is one hole, and so takes no space.
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

// SendTo writes the first n bytes to w. The kernel copies them (sendfile) if w is an
// io.ReaderFrom: a *os.File inside an io.LimitedReader is what the net package
// looks for. It is opened for each download, because sendfile moves its offset.
func (f *File) SendTo(w io.Writer, n int64) error {
	file, err := os.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.CopyN(w, file, n)
	return err
}

// Innermost returns the server's own ResponseWriter, below all that wrap it. Echo's and
// gin's writers hide its ReadFrom, and with it sendfile. Write the header through
// the framework first, which would write another one.
func Innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}
