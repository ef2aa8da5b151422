package recyclingprometheus

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// A panel is a chart of the dashboard. Its description is made from the metrics in its queries.
type panel struct {
	title   string
	unit    string // as Grafana names it
	queries []query
}

// A query is an expression of PromQL, in which $ stands for the selected instances, and the legend
// of its lines.
type query struct{ expr, legend string }

// dashboard is the dashboard, by row.
var dashboard = []struct {
	title  string
	panels []panel
}{
	{"Requests", []panel{
		{"Requests per second, by status", "reqps", []query{{`sum by (status) (rate(recycling_request_duration_seconds_count{$}[$__rate_interval]))`, "{{status}}"}}},
		{"Requests per second, by outcome", "reqps", []query{
			{`sum by (outcome) (rate(recycling_requests_total{$}[$__rate_interval]))`, "{{outcome}}"},
			{`sum(rate(recycling_http1_requests_total{$}[$__rate_interval]))`, "begun, of HTTP/1"},
			{`sum(rate(recycling_http1_requests_stayed_total{$}[$__rate_interval]))`, "a worker stayed"},
		}},
		{"Requests in flight", "short", []query{
			{`sum by (instance) (recycling_requests_in_flight{$})`, "{{instance}}"},
			{`sum by (instance) (recycling_handlers_hijacked{$})`, "{{instance}}: hijacked"},
		}},
	}},
	{"Time", []panel{
		{"Duration", "s", quantiles("recycling_request_duration_seconds")},
		{"Time to the first byte", "s", quantiles("recycling_request_first_byte_seconds")},
		{"Waiting for a worker", "s", quantiles("recycling_request_queue_seconds")},
		{"p99 of the duration, by route", "s", []query{{`topk(10, histogram_quantile(0.99, sum by (le, method, route) (rate(recycling_request_duration_seconds_bucket{$}[$__rate_interval]))))`, "{{method}} {{route}}"}}},
		{"Requests per second, by route", "reqps", []query{{`topk(10, sum by (method, route) (rate(recycling_request_duration_seconds_count{$}[$__rate_interval])))`, "{{method}} {{route}}"}}},
		{"Errors per second, by route", "reqps", []query{{`topk(10, sum by (method, route) (rate(recycling_request_duration_seconds_count{$,status="5xx"}[$__rate_interval])))`, "{{method}} {{route}}"}}},
	}},
	{"Limits", []panel{
		{"How close the limits are", "percentunit", []query{{`max by (limit) (recycling_utilization_ratio{$})`, "{{limit}}"}}},
		{"Limits", "short", []query{
			{`min by (limit) (recycling_limit{$})`, "{{limit}}"},
			{`min by (limit) (recycling_limit_seconds{$})`, "{{limit}}, in seconds"},
		}},
		{"Connections refused and evicted per second", "cps", []query{
			{`sum by (reason) (rate(recycling_connections_refused_total{$}[$__rate_interval]))`, "refused: {{reason}}"},
			{`sum by (reason) (rate(recycling_connections_evicted_total{$}[$__rate_interval]))`, "evicted: {{reason}}"},
			{`sum(rate(recycling_accept_held_total{$}[$__rate_interval]))`, "accepting paused"},
		}},
	}},
	{"Connections and workers", []panel{
		{"Connections", "short", []query{
			{`sum(recycling_connections_open{$})`, "open"},
			{`sum(recycling_connections_parked{$})`, "parked"},
			{`sum(recycling_connections_queued{$})`, "queued"},
			{`sum(recycling_connections_handshaking{$})`, "handshaking"},
		}},
		{"Connections per second", "cps", []query{
			{`sum(rate(recycling_connections_accepted_total{$}[$__rate_interval]))`, "accepted"},
			{`sum(rate(recycling_connections_closed_total{$}[$__rate_interval]))`, "closed"},
			{`sum(rate(recycling_connections_hijacked_total{$}[$__rate_interval]))`, "hijacked"},
			{`sum(rate(recycling_connections_retired_total{$}[$__rate_interval]))`, "retired"},
		}},
		{"Workers", "short", []query{
			{`sum(recycling_workers{$})`, "all"},
			{`sum(recycling_workers_busy{$})`, "busy"},
			{`sum(recycling_workers_standby{$})`, "standby"},
			{`sum(recycling_handlers_waiting{$})`, "waiting"},
		}},
		{"System errors per second", "ops", []query{
			{`sum(rate(recycling_accept_errors_total{$}[$__rate_interval]))`, "accept"},
			{`sum(rate(recycling_poll_errors_total{$}[$__rate_interval]))`, "poll"},
		}},
		{"Instances, by version and strategy", "short", []query{{`count by (version, strategy) (recycling_build_info{$})`, "{{version}} {{strategy}}"}}},
	}},
	{"Tasks", []panel{
		{"Calls per second, by result", "cps", []query{
			{`sum by (result) (rate(recycling_tasks_total{$}[$__rate_interval]))`, "{{result}}"},
			{`sum(rate(recycling_task_retries_total{$}[$__rate_interval]))`, "begun again"},
		}},
		{"p99 of the time in the queue, by task", "s", []query{{`topk(10, histogram_quantile(0.99, sum by (le, place, task) (rate(recycling_task_queue_seconds_bucket{$}[$__rate_interval]))))`, "{{task}}, {{place}}"}}},
		{"p99 of the time running, by task", "s", []query{{`topk(10, histogram_quantile(0.99, sum by (le, place, task) (rate(recycling_task_duration_seconds_bucket{$}[$__rate_interval]))))`, "{{task}}, {{place}}"}}},
		{"Calls and workers, by place", "short", []query{
			{`sum by (place) (recycling_place_calls_queued{$})`, "{{place}}: queued"},
			{`sum by (place) (recycling_place_tasks_running{$})`, "{{place}}: running"},
			{`sum by (place) (recycling_place_workers_idle{$})`, "{{place}}: idle"},
		}},
		{"Backlog of enqueued tasks and of calls", "short", []query{
			{`max by (place, task) (recycling_backlog_tasks{$})`, "{{task}}, {{place}}: enqueued"},
			{`max by (place, task) (recycling_backlog_calls{$})`, "{{task}}, {{place}}: calls"},
		}},
		{"Age of the oldest enqueued task", "s", []query{{`max by (place, task) (recycling_backlog_age_seconds{$})`, "{{task}}, {{place}}"}}},
		{"Calls per second, by task", "cps", []query{{`topk(10, sum by (place, task) (rate(recycling_tasks_total{$}[$__rate_interval])))`, "{{task}}, {{place}}"}}},
	}},
}

func quantiles(histogram string) (list []query) {
	for _, q := range []string{"50", "90", "99"} {
		list = append(list, query{`histogram_quantile(0.` + q + `, sum by (le) (rate(` + histogram + `_bucket{$}[$__rate_interval])))`, "p" + q})
	}
	return list
}

var nameInExpr = regexp.MustCompile(`recycling_[a-z0-9_]+`)

// metricsIn returns the metrics that an expression names. It fails if one does not exist.
func metricsIn(t *testing.T, expr string) (list []metric) {
	t.Helper()
names:
	for _, name := range nameInExpr.FindAllString(expr, -1) {
		for _, m := range allMetrics {
			if m.name == name && m.kind != histogram {
				list = append(list, m)
				continue names
			}
			if series, ok := strings.CutPrefix(name, m.name); ok && m.kind == histogram {
				switch series {
				case "_bucket", "_count", "_sum":
					list = append(list, m)
					continue names
				}
			}
		}
		t.Errorf("there is no metric %s, which is in %s", name, expr)
	}
	return list
}

type object map[string]any

// makeDashboard returns dashboard.json.
func makeDashboard(t *testing.T) string {
	source := object{"type": "prometheus", "uid": "$datasource"}
	var panels []object
	id, y := 0, 0
	add := func(p object, w, h, x int) {
		id++
		p["id"] = id
		p["gridPos"] = object{"w": w, "h": h, "x": x, "y": y}
		panels = append(panels, p)
	}
	for _, row := range dashboard {
		add(object{"type": "row", "title": row.title, "collapsed": false, "panels": []any{}}, 24, 1, 0)
		y++
		for i, p := range row.panels {
			var targets []object
			var about []string
			seen := map[string]bool{}
			for k, q := range p.queries {
				for _, m := range metricsIn(t, q.expr) {
					if !seen[m.name] {
						seen[m.name] = true
						about = append(about, "`"+m.name+"`: "+m.help+"\n\n*"+m.do+"*")
					}
				}
				targets = append(targets, object{"refId": string(rune('A' + k)), "datasource": source, "expr": grafana(q.expr), "legendFormat": q.legend})
			}
			add(object{
				"type": "timeseries", "title": p.title, "description": strings.Join(about, "\n\n"),
				"datasource":  source,
				"targets":     targets,
				"fieldConfig": object{"defaults": object{"unit": p.unit, "min": 0}, "overrides": []any{}},
				"options":     object{"tooltip": object{"mode": "multi"}, "legend": object{"displayMode": "list", "placement": "bottom"}},
			}, 8, 8, i%3*8)
			if i%3 == 2 || i == len(row.panels)-1 {
				y += 8
			}
		}
	}
	variable := func(name, label, of string) object {
		q := "label_values(recycling_build_info" + of + ", " + name + ")"
		return object{
			"name": name, "label": label, "type": "query", "datasource": source, "query": q, "definition": q,
			"refresh": 2, "includeAll": true, "multi": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"},
		}
	}
	b, err := json.MarshalIndent(object{
		"title": "recycling", "uid": "recycling", "tags": []string{"recycling", "http"},
		"description":   "Servers that register their metrics with package recyclingprometheus. Generated by go generate; do not edit.",
		"schemaVersion": 39, "editable": true, "refresh": "30s", "timezone": "browser",
		"time": object{"from": "now-1h", "to": "now"},
		"templating": object{"list": []object{
			{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": object{}},
			variable("job", "Job", ""),
			variable("instance", "Instance", `{job=~"$job"}`),
		}},
		"panels": panels,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// grafana returns a query as Grafana expands it.
func grafana(expr string) string {
	expr = strings.ReplaceAll(expr, "{$}", `{job=~"$job", instance=~"$instance"}`)
	return strings.ReplaceAll(expr, "{$,", `{job=~"$job", instance=~"$instance", `)
}

func TestDashboardShowsEveryMetric(t *testing.T) {
	shown := map[string]bool{}
	for _, row := range dashboard {
		for _, p := range row.panels {
			for _, q := range p.queries {
				for _, m := range metricsIn(t, q.expr) {
					shown[m.name] = true
				}
			}
		}
	}
	for _, m := range allMetrics {
		if !shown[m.name] {
			t.Errorf("no panel shows %s", m.name)
		}
	}
}
