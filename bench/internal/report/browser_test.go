package report

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// measureScript reports what a reader sees: the size and the texts of each chart, texts that
// overlap or are outside of it, and texts with too little contrast to the paper.
const measureScript = `
const light = c => {
	const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
const charts = [...document.querySelectorAll('svg.chart')].map(svg => {
	const box = svg.getBoundingClientRect(), paper = getComputedStyle(svg.querySelector('path')).fill;
	const texts = [...svg.querySelectorAll('text')].map(e => ({
		text: e.textContent, box: e.getBoundingClientRect(), contrast: contrast(getComputedStyle(e).fill, paper),
		shown: e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}),
	})).filter(t => t.text.trim());
	const wrong = [];
	texts.forEach((a, i) => {
		if (!a.shown) wrong.push('hidden: ' + a.text);
		if (a.contrast < 4.5) wrong.push('contrast ' + a.contrast.toFixed(1) + ': ' + a.text);
		if (a.box.left < box.left || a.box.right > box.right || a.box.top < box.top || a.box.bottom > box.bottom) wrong.push('outside: ' + a.text);
		texts.slice(i + 1).forEach(b => {
			const w = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
			const h = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
			if (w > 1 && h > 3) wrong.push('overlap: ' + a.text + ' / ' + b.text);
		});
	});
	return {title: svg.querySelector('title').textContent, paper, width: box.width, height: box.height, wrong,
		texts: texts.map(t => t.text).join('')};
});
const page = document.documentElement;
document.body.innerHTML = '<pre></pre>';
document.querySelector('pre').textContent = JSON.stringify({charts, tooWide: page.scrollWidth > page.clientWidth});
console.log('all is measured');
`

// seen is the report of measureScript.
type seen struct {
	Charts []struct {
		Title, Paper, Texts string
		Width, Height       float64
		Wrong               []string
	}
	TooWide bool // the page itself scrolls sideways
}

func TestBrowserShowsEveryChart(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "--version").Run() == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("there is no chromium, chromium-browser or google-chrome that runs here: what a browser shows is not tested")
	}
	r := sampleRun()
	r.Tables = append(r.Tables, hardTable())
	var page bytes.Buffer
	if err := WriteHTML(&page, r); err != nil {
		t.Fatal(err)
	}
	papers := map[string]string{}
	for _, mode := range []struct {
		name string
		args []string
	}{
		{"light", []string{"--blink-settings=preferredColorScheme=1", "--window-size=1280,1000"}},
		{"dark on a phone", []string{"--blink-settings=preferredColorScheme=0", "--window-size=500,1000"}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			s := look(t, browser, mode.args, page.String())
			if s.TooWide {
				t.Error("the page scrolls sideways")
			}
			i := 0
			for _, table := range r.Tables {
				for _, c := range table.Charts {
					if i == len(s.Charts) {
						t.Fatalf("%d charts are shown, want more", i)
					}
					got := s.Charts[i]
					i++
					papers[mode.name] = got.Paper
					f, err := newFigure(table, c)
					if err != nil {
						t.Fatal(err)
					}
					if got.Title != c.Title || got.Width < 300 || got.Height < 40 {
						t.Errorf("chart %s is shown as %+v", c.Name, got)
					}
					clean := func(s string) string { return strings.Join(strings.Fields(s), "") }
					for _, want := range append([]series{{name: f.measure()}}, f.series...) {
						if !strings.Contains(clean(got.Texts), clean(want.name)) {
							t.Errorf("chart %s does not show %q", c.Name, want.name)
						}
					}
					for _, w := range got.Wrong {
						t.Errorf("chart %s: %s", c.Name, w)
					}
				}
			}
			if i != len(s.Charts) {
				t.Errorf("%d charts are shown, want %d", len(s.Charts), i)
			}
		})
	}
	if papers["light"] == papers["dark on a phone"] {
		t.Errorf("charts have the paper %q in light and dark", papers["light"])
	}
}

// look opens a page, fails the test if the console has an error, and returns what a reader sees.
func look(t *testing.T, browser string, args []string, page string) seen {
	t.Helper()
	// Allow the script. Everything else that the page forbids stays forbidden.
	page = strings.Replace(page, "default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';", 1)
	page = strings.Replace(page, "</body>", "<script>"+measureScript+"</script></body>", 1)
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) // t.TempDir would fail, because the browser may still write here
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(file)}
	cmd := exec.CommandContext(ctx, browser, append(args, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+filepath.Join(dir, "data"), "--enable-logging=stderr", "--v=0", "--dump-dom", address.String())...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &log, 10*time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, &log)
	}
	said := false
	for l := range strings.Lines(log.String()) {
		if !strings.Contains(l, ":CONSOLE") {
			continue
		}
		if strings.Contains(l, "all is measured") {
			said = true
		} else {
			t.Errorf("on the console: %s", l)
		}
	}
	if !said {
		t.Errorf("nothing is heard of the console, so that errors would not be either:\n%s", &log)
	}
	pre := parse(t, out.Bytes(), true).find("pre", "")
	var s seen
	if len(pre) != 1 || json.Unmarshal([]byte(pre[0].text), &s) != nil {
		t.Fatalf("the page was not measured:\n%.2000s\n%s", &out, &log)
	}
	return s
}
