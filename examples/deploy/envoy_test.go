package main

import (
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	proxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

// decodeEnvoy decodes a configuration into Envoy's own types, where an unknown field is an error,
// and checks the bounds that these types have. It knows the extensions that this file imports.
func decodeEnvoy(text string) (*bootstrapv3.Bootstrap, error) {
	b, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, err
	}
	c := new(bootstrapv3.Bootstrap)
	if err := protojson.Unmarshal(b, c); err != nil {
		return nil, err
	}
	return c, c.ValidateAll()
}

// unpack returns the message in a, and fails the test if its bounds are not kept.
func unpack[M interface {
	proto.Message
	ValidateAll() error
}](t *testing.T, a *anypb.Any, m M) M {
	t.Helper()
	if err := a.UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	if err := m.ValidateAll(); err != nil {
		t.Errorf("%T: %v", m, err)
	}
	return m
}

func TestUnknownFieldsOfEnvoyAreFound(t *testing.T) {
	text := read(t, "envoy/envoy.yaml")
	for old, new := range map[string]string{
		"retry_on:":                 "retry_if:",
		"lb_policy: LEAST_REQUEST":  "lb_policy: LEAST",
		"stat_prefix: web":          `statprefix: web`,
		"filters.http.router.v3":    "filters.http.rooter.v3",
		"port_value: 9901":          "port_value: 99010",
		"unhealthy_threshold: 2":    "",
		"connect_timeout: 1s":       "connect_timeout: 0s",
		"common_lb_config: {health": "common_lb_config: {wealth",
	} {
		if _, err := decodeEnvoy(replace(t, text, old, new)); err == nil {
			t.Errorf("%q instead of %q is accepted", new, old)
		}
	}
}

func TestEnvoyFitsTheApplication(t *testing.T) {
	c, err := decodeEnvoy(read(t, "envoy/envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	filter := c.StaticResources.Listeners[0].FilterChains[0].Filters[0]
	m := unpack(t, filter.GetTypedConfig(), new(hcmv3.HttpConnectionManager))
	clusters := map[string]*clusterv3.Cluster{}
	for _, c := range c.StaticResources.Clusters {
		clusters[c.Name] = c
	}
	var once, twice int
	for _, r := range m.GetRouteConfig().VirtualHosts[0].Routes {
		route := r.GetRoute()
		if clusters[route.GetCluster()] == nil {
			t.Errorf("there is no cluster %q", route.GetCluster())
		}
		if repeats(route.RetryPolicy) {
			twice++
			if len(r.Match.Headers) == 0 {
				t.Error("POST requests are repeated")
			}
		} else {
			once++
		}
	}
	if once == 0 || twice == 0 {
		t.Errorf("%d routes that repeat, %d that do not, want some of each", twice, once)
	}

	app := clusters["app"]
	lame := parsed(t).lameDuck
	o := unpack(t, app.TypedExtensionProtocolOptions["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"], new(httpv3.HttpProtocolOptions))
	if idle := o.CommonHttpProtocolOptions.IdleTimeout.AsDuration(); idle >= lame {
		t.Errorf("idle connections stay open for %v, -lame-duck is %v", idle, lame)
	}
	checkHealth(t, app)
}

func TestEnvoySendsTheProxyProtocol(t *testing.T) {
	c, err := decodeEnvoy(read(t, "envoy/tcp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tcp := unpack(t, c.StaticResources.Listeners[0].FilterChains[0].Filters[0].GetTypedConfig(), new(tcpv3.TcpProxy))
	app := c.StaticResources.Clusters[0]
	if tcp.GetCluster() != app.Name {
		t.Errorf("there is no cluster %q", tcp.GetCluster())
	}
	socket := unpack(t, app.TransportSocket.GetTypedConfig(), new(proxyv3.ProxyProtocolUpstreamTransport))
	if v := socket.Config.Version; v != corev3.ProxyProtocolConfig_V2 {
		t.Errorf("version %v, want 2", v)
	}
	unpack(t, socket.TransportSocket.GetTypedConfig(), new(rawv3.RawBuffer))
	checkHealth(t, app)
}

// checkHealth fails unless the health checks notice in time that a server drains.
func checkHealth(t *testing.T, app *clusterv3.Cluster) {
	t.Helper()
	h := app.HealthChecks[0]
	if path := h.GetHttpHealthCheck().Path; path != healthPath+"?ready" {
		t.Errorf("health checks ask %s", path)
	}
	noticed := time.Duration(h.UnhealthyThreshold.Value)*h.Interval.AsDuration() + h.Timeout.AsDuration()
	if lame := parsed(t).lameDuck; noticed >= lame {
		t.Errorf("the end is noticed after up to %v, -lame-duck is %v", noticed, lame)
	}
}

// repeats reports whether p sends a request again that a server may have begun to serve.
func repeats(p *routev3.RetryPolicy) bool {
	for reason := range strings.SplitSeq(p.GetRetryOn(), ",") {
		if reason != "connect-failure" && reason != "refused-stream" {
			return true
		}
	}
	return false
}
