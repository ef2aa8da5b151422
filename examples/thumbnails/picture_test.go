package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"github.com/recycling-go/recycling/core/offload/task"
)

// painting returns a picture in which the colours change from left to right and from top to bottom.
func painting(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / width), uint8(y * 255 / height), uint8((x*255/width + y*255/height) / 2), 255})
		}
	}
	return m
}

// encoded returns a picture in a format.
func encoded(t testing.TB, m image.Image, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "jpeg":
		err = jpeg.Encode(&b, m, nil)
	case "png":
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m)
	case "gif":
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hugePNG is a PNG that claims to have that size.
func hugePNG(width, height uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, width)
	b = binary.BigEndian.AppendUint32(b, height)
	b = append(b, 8, 6, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestCheckRefusesWhatWouldTakeTooMuchMemory(t *testing.T) {
	for _, test := range []struct {
		name    string
		picture []byte
		want    error
	}{
		{"nothing", nil, errFormat},
		{"text", []byte("hello"), errFormat},
		{"half a header", hugePNG(10, 10)[:20], errFormat},
		{"another format", []byte("BM\x00\x00\x00\x00"), errFormat},
		{"GIF without pixels", []byte("GIF89a\x00\x00\x00\x00\x00\x00\x00"), errFormat},
		{"too many pixels", hugePNG(5001, 5001), errPixels},
		{"too wide", hugePNG(maxSide+1, 1), errPixels},
		{"too high", hugePNG(1, maxSide+1), errPixels},
		{"as large as can be", hugePNG(1<<31-1, 1<<31-1), errFormat}, // package png refuses it
		{"allowed", hugePNG(5000, 5000), nil},
		{"allowed strip", hugePNG(maxSide, 1), nil},
	} {
		if _, err := check(test.picture); !errors.Is(err, test.want) {
			t.Errorf("%s: the error is %v, want %v", test.name, err, test.want)
		}
	}
}

func none(int) error { return nil }

func TestShrinkKeepsTheProportions(t *testing.T) {
	for _, test := range []struct{ width, height, wantWidth, wantHeight int }{
		{1000, 500, 256, 128},
		{300, 900, 85, 256},
		{10, 20, 10, 20}, // it is small enough
		{4000, 2, 256, 1},
		{2, 4000, 1, 256},
	} {
		for format, wantType := range map[string]string{"jpeg": "image/jpeg", "png": "image/png", "gif": "image/png"} {
			small, err := shrink(t.Context(), encoded(t, painting(test.width, test.height), format), none)
			if err != nil {
				t.Fatalf("%s of %d × %d: %v", format, test.width, test.height, err)
			}
			c, _, err := image.DecodeConfig(bytes.NewReader(small.Picture))
			if err != nil {
				t.Fatal(err)
			}
			if small.Type != wantType || c.Width != test.wantWidth || c.Height != test.wantHeight ||
				small.Width != c.Width || small.Height != c.Height {
				t.Errorf("%s of %d × %d became %s of %d × %d (%d × %d), want %s of %d × %d", format, test.width, test.height,
					small.Type, small.Width, small.Height, c.Width, c.Height, wantType, test.wantWidth, test.wantHeight)
			}
		}
	}
}

// TestStripsLeaveNoTrace compares scaling by strips with one call.
func TestStripsLeaveNoTrace(t *testing.T) {
	large := painting(700, 3*strip+40).SubImage(image.Rect(3, 5, 690, 3*strip+30))
	small, err := scale(t.Context(), large, func(float64) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	want := image.NewRGBA(small.Bounds())
	draw.CatmullRom.Scale(want, want.Bounds(), large, large.Bounds(), draw.Src, nil)
	for i, v := range small.(*image.RGBA).Pix {
		if d := int(v) - int(want.Pix[i]); d < -2 || d > 2 {
			t.Fatalf("byte %d is %d, want about %d", i, v, want.Pix[i])
		}
	}
}

func TestShrinkEndsWithItsCaller(t *testing.T) {
	picture := encoded(t, painting(800, 800), "png")
	left := errors.New("left")
	for _, at := range []int{0, 30, 70} { // while it decodes, and while it scales
		_, err := shrink(t.Context(), picture, func(percent int) error {
			if percent >= at {
				return left
			}
			return nil
		})
		if err != left {
			t.Errorf("at %d %% the error is %v, want that of progress", at, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = shrink(ctx, picture, func(percent int) error {
			if percent >= at {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("at %d %% the error is %v, want that of the context", at, err)
		}
		cancel()
	}
}

func TestCorruptPictureIsAnError(t *testing.T) {
	for _, format := range []string{"jpeg", "png", "gif"} {
		whole := encoded(t, painting(200, 200), format)
		for _, n := range []int{len(whole) / 2, len(whole) / 4, 30} {
			_, err := shrink(t.Context(), whole[:n], none)
			var own *task.Error
			if !errors.As(err, &own) || own.Code != task.CodeInput || own.Message == "" {
				t.Errorf("%d of %d bytes of a %s: the error is %v, want one with code %s", n, len(whole), format, err, task.CodeInput)
			}
		}
	}
}

func TestFollowTellsWhatItDoes(t *testing.T) {
	var out bytes.Buffer
	if err := follow(t.Context(), encoded(t, painting(1500, 1500), "jpeg"), &out); err != nil {
		t.Fatal(err)
	}
	checkEvents(t, strings.NewReader(out.String()))
}

// FuzzShrink shows that no picture makes a task panic, or take much memory.
func FuzzShrink(f *testing.F) {
	for _, format := range []string{"jpeg", "png", "gif"} {
		f.Add(encoded(f, painting(20, 10), format))
	}
	f.Add(hugePNG(5000, 5000))
	f.Fuzz(func(t *testing.T, picture []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(picture)); err == nil && c.Width*c.Height > 1<<16 {
			if _, err := check(picture); c.Width*c.Height > maxPixels && err == nil {
				t.Errorf("a picture of %d × %d pixels is allowed", c.Width, c.Height)
			}
			return // it would take long
		}
		small, err := shrink(t.Context(), picture, none)
		if err == nil && (small.Width > thumbSide || small.Height > thumbSide || len(small.Picture) == 0) {
			t.Errorf("got a thumbnail of %d × %d and %d bytes", small.Width, small.Height, len(small.Picture))
		}
	})
}
