package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/examples/internal/app"
)

func TestParametersAreBounded(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"0", 0, true},
		{"25", 25 * time.Millisecond, true},
		{"10000", app.MaxWork, true},
		{"10001", 0, false},
		{"-1", 0, false},
		{"9999999999999999999", 0, false},
		{"1.5", 0, false},
		{"", 0, false},
	} {
		got, err := app.Millis(tt.text, app.MaxWork)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("Millis(%q) = %v, %v, want %v, ok %t", tt.text, got, err, tt.want, tt.ok)
		}
		if err != nil && !strings.Contains(err.Error(), `"`+tt.text+`"`) {
			t.Errorf("Millis(%q): the error %q does not name the value", tt.text, err)
		}
	}
}

func TestParametersHaveDefaults(t *testing.T) {
	if n, err := app.Events(""); n != 5 || err != nil {
		t.Errorf("Events of nothing = %d, %v, want 5", n, err)
	}
	if n, err := app.Bytes(""); n != app.FileSize || err != nil {
		t.Errorf("Bytes of nothing = %d, %v, want %d", n, err, app.FileSize)
	}
}
