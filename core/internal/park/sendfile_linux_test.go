//go:build linux && !recycling_nopark

package park

import (
	"errors"
	"io"
	"os"
	"testing"
)

func TestSendFileSendsWhatIsAskedFor(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = 9 << 20
	file.Write(make([]byte, size))
	file.Seek(10, io.SeekStart)
	got := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(io.Discard, client)
		got <- n
	}()
	sent := int64(0)
	for {
		n, err := c.SendFile(file.Fd(), size)
		if err != nil {
			t.Fatalf("SendFile: %v", err)
		}
		if n == 0 {
			break
		}
		sent += n
	}
	if sent != size-10 {
		t.Errorf("SendFile has sent %d bytes, want %d", sent, size-10)
	}
	c.CloseWrite()
	if n := <-got; n != size-10 {
		t.Errorf("the client got %d bytes, want %d", n, size-10)
	}
}

func TestSendFileRefusesWhatTheKernelCannotSend(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	defer c.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	proc, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	for _, from := range []*os.File{r, proc} {
		if n, err := c.SendFile(from.Fd(), 10); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("SendFile of %s = %d, %v; want ErrUnsupported", from.Name(), n, err)
		}
	}
}
