package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/examples/internal/progtest"
)

// measure is a JavaScript expression: what is wrong with how the page looks, and its text.
const measure = `(() => {
	const light = c => {
		const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
	const paper = e => {
		for (; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor;
			if (!/, 0\)$|transparent/.test(c)) return c;
		}
		return 'rgb(255, 255, 255)';
	};
	const root = document.documentElement, wrong = [];
	if (root.scrollWidth > root.clientWidth) wrong.push('the page scrolls sideways: ' + root.scrollWidth + ' > ' + root.clientWidth);
	for (const e of document.querySelectorAll('body *')) {
		if (e.closest('.hidden, script, svg') || !e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const box = e.getBoundingClientRect(), ratio = contrast(getComputedStyle(e).color, paper(e));
		if (box.left < 0 || box.right > root.clientWidth + 0.5) wrong.push('outside: ' + e.textContent);
		if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline') wrong.push('too wide for its box: ' + e.textContent);
		if (ratio < 4.5) wrong.push('contrast ' + ratio.toFixed(1) + ': ' + e.textContent);
	}
	let level = 0;
	for (const h of document.querySelectorAll('h1, h2, h3')) {
		if (+h.tagName[1] > level + 1) wrong.push('a level of headings is left out before ' + h.textContent);
		level = +h.tagName[1];
	}
	return {wrong, text: document.body.innerText};
})()`

// look checks how the page looks in windows of several sizes, light and dark.
func (b *browser) look(name string) {
	b.t.Helper()
	for _, size := range []struct{ width, height int }{{1280, 900}, {390, 844}, {360, 740}} {
		for _, scheme := range []string{"light", "dark"} {
			b.size(size.width, size.height, scheme)
			var seen struct{ Wrong []string }
			b.eval(measure, &seen)
			for _, w := range seen.Wrong {
				b.t.Errorf("%s, %d pixels wide, %s: %s", name, size.width, scheme, w)
			}
			if dir := os.Getenv(screenshots); dir != "" {
				b.screenshot(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, size.width, scheme)))
			}
		}
	}
}

// album writes pictures into files, and returns their paths. One is corrupt, and one is no picture.
func album(t *testing.T) (files []string) {
	t.Helper()
	add := func(name string, picture []byte) {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, picture, 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	add("harbour in the evening, seen from the lighthouse.jpg", encoded(t, painting(2000, 1500), "jpeg"))
	add("tower.png", encoded(t, painting(600, 1400), "png"))
	add("small.gif", encoded(t, painting(60, 40), "gif"))
	whole := encoded(t, painting(900, 900), "jpeg")
	add("corrupt.jpg", whole[:len(whole)/2])
	add("notes.png", []byte("no picture"))
	add("Donaudampfschifffahrtsgesellschaftskapitaensmuetzenabzeichen.png", slow())
	return files
}

const submit = `document.querySelector('form button').click()`

// texts returns the text of all pictures on the page.
func (b *browser) texts() string {
	b.t.Helper()
	var text string
	b.eval(`document.getElementById('pictures').innerText`, &text)
	return text
}

func TestPageMakesThumbnailsInEachPlace(t *testing.T) {
	files := album(t)
	eachPlace(t, func(t *testing.T, place string) {
		b := startBrowser(t)
		p := start(t, nil, "-place="+place)
		b.open(p.base, 1280, 900, "light")
		b.look(place + "-empty")
		b.choose("#files", files...)
		var nothing any
		b.eval(submit+`; 0`, &nothing)
		b.until("all pictures to end", `document.getElementById('summary').textContent === '4 of 6 thumbnails made, 2 failed.'`)
		b.look(place + "-done")
		var images []struct {
			Alt           string
			Width, Height int
		}
		b.eval(`[...document.querySelectorAll('#pictures img')].map(i => ({alt: i.alt, width: i.naturalWidth, height: i.naturalHeight}))`, &images)
		if len(images) != 4 {
			t.Errorf("there are %d thumbnails, want 4", len(images))
		}
		for _, i := range images {
			if max(i.Width, i.Height) > thumbSide || i.Width == 0 || !strings.HasPrefix(i.Alt, "Thumbnail of ") {
				t.Errorf("there is %+v", i)
			}
		}
		for _, want := range []string{"made by process ", "(place " + place + ")", "256 × 192", "110 × 256", "60 × 40", "Huffman", "not a JPEG, PNG or GIF picture"} {
			if text := b.texts(); !strings.Contains(text, want) {
				t.Errorf("there is no %q in\n%s", want, text)
			}
		}
		for _, e := range b.errors {
			if !strings.Contains(e, "415") { // Chromium logs refusals
				t.Errorf("in the console: %s", e)
			}
		}
	})
}

// TestPageTriesAgain uploads more than fits: the page waits and tries again until all are made, and
// shows meanwhile how far each is.
func TestPageTriesAgain(t *testing.T) {
	b := startBrowser(t)
	p := start(t, nil, "-place=children", "-workers=1", "-queue=1")
	var files []string
	for i := range 4 {
		file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.png", i))
		if err := os.WriteFile(file, slow(), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	b.open(p.base, 390, 844, "light")
	var nothing any
	b.eval(`window.seen = '', window.values = new Set(), new MutationObserver(() => {
		const list = document.getElementById('pictures');
		window.seen += list.innerText + '\n';
		for (const bar of list.querySelectorAll('progress[value]')) window.values.add(bar.value);
	}).observe(document.getElementById('pictures'), {subtree: true, childList: true, characterData: true, attributes: true}), 0`, &nothing)
	b.choose("#files", files...)
	b.eval(submit+`; 0`, &nothing)
	b.until("a refusal", `window.seen.includes('The server is busy. Trying again in ')`)
	b.look("busy")
	b.until("all pictures to be made", `document.getElementById('summary').textContent === '4 of 4 thumbnails made.'`)
	var values int
	b.eval(`window.values.size`, &values)
	if values < 5 {
		t.Errorf("the page has shown %d values of progress", values)
	}
}

// TestPageRemembersWhatIsMadeLater closes the page and ends the server while a picture waits.
func TestPageRemembersWhatIsMadeLater(t *testing.T) {
	b := startBrowser(t)
	dir, addr := t.TempDir(), progtest.FreeAddr(t)
	p := start(t, nil, "-place=nats", "-dir="+dir, "-workers=1", "-addr="+addr)
	b.open(p.base, 390, 844, "light")
	files := album(t)
	b.choose("#files", files[0], files[5])
	var nothing any
	b.eval(`document.getElementById('later').click(); `+submit+`; 0`, &nothing)
	b.until("the server to have both", `JSON.parse(localStorage.getItem('thumbnails-later') ?? '[]').length === 2`)
	kill(t, p.Process.Pid)
	p.stop()
	b.until("the page to notice", `document.getElementById('pictures').innerText.includes('cannot be reached') || document.querySelectorAll('#pictures img').length === 2`)

	start(t, nil, "-place=nats", "-dir="+dir, "-workers=1", "-addr="+addr)
	b.until("the thumbnails", `document.querySelectorAll('#pictures img').length === 2`)
	b.call("Page.reload", nil, nil)
	b.until("the thumbnails after a reload", `document.readyState === 'complete' && document.querySelectorAll('#pictures img').length === 2`)
	b.look("later")
	if text := b.texts(); !strings.Contains(text, "harbour") {
		t.Errorf("the page shows %q", text)
	}
}

// TestPageLoadsNothingFromElsewhere also finds inline scripts and styles, which the policy forbids.
func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	files, err := page.ReadDir("page")
	if err != nil || len(files) != 3 {
		t.Fatalf("there are %d files, %v", len(files), err)
	}
	for _, f := range files {
		text, err := page.ReadFile("page/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"http:", "https:", "//cdn", "style=", "onclick=", "innerHTML", "eval("} {
			if bytes.Contains(text, []byte(wrong)) {
				t.Errorf("%s has %q", f.Name(), wrong)
			}
		}
	}
}
