package status

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// policy is the Content-Security-Policy of a Page: it uses nothing but the style and the script
// that it contains, and asks only its own server.
var policy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; connect-src 'self'; img-src data:; "+
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", hash(pageCSS), hash(pageJS))

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// maxRoutes is how many routes are shown to people; JSON has all.
const maxRoutes = 40

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"css":      func() template.CSS { return template.CSS(pageCSS) },
	"js":       func() template.JS { return template.JS(pageJS) },
	"duration": duration,
	"number":   number[int64],
	"count":    number[int],
	"total":    number[uint64],
	"rate":     rate,
	"size":     size,
}).Parse(pageHTML))

// html returns r as a page, with links to mounts.
func (r *report) html(mounts []mount) ([]byte, error) {
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		*report
		Mounts []mount
	}{r, mounts})
	return b.Bytes(), err
}

// Title is that of the page.
func (r *report) Title() string {
	title := r.Process.Host + " – status"
	for _, s := range r.Servers {
		if s.Level != fine {
			title = strings.ToUpper(string(s.Level)) + " " + title
			break
		}
	}
	return title
}

// Heading is the name of server i.
func (r *report) Heading(i int) string {
	switch name := r.Servers[i].Name; {
	case name != "":
		return name
	case len(r.Servers) > 1:
		return fmt.Sprintf("Server %d", i+1)
	}
	return "Server"
}

// BusiestRoutes returns the routes to show: those with the most recent requests, and among equals
// those with the most requests in all. They are in the order of Routes, so that they stay in place.
func (s serverReport) BusiestRoutes() []routeReport {
	if len(s.Routes) <= maxRoutes {
		return s.Routes
	}
	order := make([]int, len(s.Routes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(s.Routes[b].Recent, s.Routes[a].Recent), cmp.Compare(s.Routes[b].Total, s.Routes[a].Total))
	})
	order = order[:maxRoutes]
	slices.Sort(order)
	list := make([]routeReport, len(order))
	for i, k := range order {
		list[i] = s.Routes[k]
	}
	return list
}

// HiddenRoutes returns how many routes BusiestRoutes leaves out.
func (s serverReport) HiddenRoutes() int { return max(len(s.Routes)-maxRoutes, 0) }

// Trouble returns the reasons for which connections have been refused or closed.
func (s serverReport) Trouble() (list []trouble) {
	for _, r := range s.Refused {
		if r.Total > 0 {
			list = append(list, trouble{"refused", r})
		}
	}
	for _, r := range s.Evicted {
		if r.Total > 0 {
			list = append(list, trouble{"closed", r})
		}
	}
	return list
}

type trouble struct {
	What string
	refusal
}

// Name returns the route for a reader, without the method that a pattern of http.ServeMux may have.
func (r routeReport) Name() string {
	return cmp.Or(strings.TrimPrefix(r.Route, r.Method+" "), "(no route)")
}

// MaxWorkers returns the limit, or an empty string if there is none.
func (s serverReport) MaxWorkers() string {
	if s.Stats.Limits.MaxWorkers <= 0 {
		return ""
	}
	return number(s.Stats.Limits.MaxWorkers)
}

// HasWorkers reports whether the strategy has workers.
func (s serverReport) HasWorkers() bool { return len(s.Limits) > 0 }
