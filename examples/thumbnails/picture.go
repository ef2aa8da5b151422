package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // for image.Decode
	"image/jpeg"
	"image/png"
	"math"

	"golang.org/x/image/draw"

	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	maxBytes  = 16 << 20   // of a picture as it is sent
	maxPixels = 25_000_000 // of a picture; up to 8 bytes each when it is decoded
	maxSide   = 16_384     // pixels
	thumbSide = 256        // the longer side of a thumbnail, in pixels
	strip     = 128        // rows that are scaled at a time
)

var (
	errFormat = errors.New("not a JPEG, PNG or GIF picture")
	errPixels = fmt.Errorf("want at most %d pixels, and %d on a side", maxPixels, maxSide)
)

// A thumbnail is the result of a task.
type thumbnail struct {
	maker
	Type    string `json:"type"` // image/jpeg or image/png
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Picture []byte `json:"picture"`
}

// check looks at the first bytes of a picture, which say what it is and how large: decoding it
// might take all memory. The error wraps errFormat or errPixels.
func check(picture []byte) (format string, err error) {
	c, format, err := image.DecodeConfig(bytes.NewReader(picture))
	if err != nil || format != "jpeg" && format != "png" && format != "gif" {
		return "", errFormat
	}
	if c.Width < 1 || c.Height < 1 {
		return "", fmt.Errorf("%w: it has no pixels", errFormat)
	}
	// Neither side can be so long that the product overflows.
	if c.Width > maxSide || c.Height > maxSide || c.Width*c.Height > maxPixels {
		return "", fmt.Errorf("the picture has %d × %d pixels: %w", c.Width, c.Height, errPixels)
	}
	return format, nil
}

// shrink makes a thumbnail. It calls progress with the part that is done, in percent, and ends with
// the error of progress, or of ctx when that has ended. If the picture is wrong the error is a
// [task.Error] with the code [task.CodeInput], so that the task is not tried again.
func shrink(ctx context.Context, picture []byte, progress func(percent int) error) (t thumbnail, err error) {
	format, err := check(picture)
	if err != nil {
		return t, wrong(err)
	}
	const decoded, scaled = 60, 95 // percent
	r := &meter{ctx: ctx, in: bytes.NewReader(picture), progress: func(done float64) error {
		return progress(int(done * decoded))
	}}
	large, _, err := image.Decode(r)
	if r.err != nil { // rather than what the decoder makes of it
		return t, r.err
	}
	if err != nil {
		return t, wrong(err)
	}
	small, err := scale(ctx, large, func(done float64) error {
		return progress(decoded + int(done*(scaled-decoded)))
	})
	if err != nil {
		return t, err
	}
	var out bytes.Buffer
	if format == "jpeg" {
		t.Type = "image/jpeg"
		err = jpeg.Encode(&out, small, &jpeg.Options{Quality: 80})
	} else { // it may be transparent
		t.Type = "image/png"
		err = png.Encode(&out, small)
	}
	t.Width, t.Height, t.Picture = small.Bounds().Dx(), small.Bounds().Dy(), out.Bytes()
	return t, err
}

func wrong(err error) error { return &task.Error{Code: task.CodeInput, Message: err.Error()} }

// scale returns a picture that fits into a square of thumbSide, unless it does already. First it
// makes each row shorter, some rows at a time, because one call for all would not look at ctx.
func scale(ctx context.Context, large image.Image, progress func(done float64) error) (image.Image, error) {
	b := large.Bounds()
	width, height := fit(b.Dx(), b.Dy())
	narrow := image.NewRGBA(image.Rect(0, 0, width, b.Dy()))
	for y := 0; y < b.Dy(); y += strip {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := min(strip, b.Dy()-y)
		from := image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, b.Min.Y+y+rows)
		draw.CatmullRom.Scale(narrow, image.Rect(0, y, width, y+rows), large, from, draw.Src, nil)
		if err := progress(float64(y+rows) / float64(b.Dy())); err != nil {
			return nil, err
		}
	}
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(small, small.Bounds(), narrow, narrow.Bounds(), draw.Src, nil)
	return small, nil
}

// fit returns the size of the thumbnail of a picture.
func fit(width, height int) (int, int) {
	f := min(1, thumbSide/float64(max(width, height)))
	side := func(n int) int { return max(int(math.Round(float64(n)*f)), 1) }
	return side(width), side(height)
}

// A meter is the reader of a picture that is being decoded.
type meter struct {
	ctx      context.Context
	in       *bytes.Reader
	progress func(done float64) error
	err      error // of ctx or progress
}

func (m *meter) Read(b []byte) (int, error) {
	if m.err == nil {
		m.err = m.ctx.Err()
	}
	if m.err == nil {
		m.err = m.progress(1 - float64(m.in.Len())/float64(m.in.Size()))
	}
	if m.err != nil {
		return 0, m.err
	}
	return m.in.Read(b[:min(len(b), 64<<10)])
}
