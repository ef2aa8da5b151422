package roll

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A proxy is a program and its configuration: see harness.StartProxy.
type proxy struct{ name, conf string }

var proxies = []proxy{{"nginx", nginxConf}, {"haproxy", haproxyConf}}

const nginxConf = `daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr error;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream servers {
		server %[3]s max_fails=0;
		server %[4]s max_fails=0;
		keepalive 16;
		keepalive_timeout 500ms; # less than LameDuck, even if that is skipped
	}
	server {
		listen %[2]s;
		keepalive_requests 100000000;
		location / {
			proxy_pass http://servers;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
}
`

const haproxyConf = `defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	timeout check 5s # a server on a busy machine is not down
	retries 3
	option redispatch 1
frontend proxy
	bind %[2]s
	default_backend servers
backend servers
	option httpchk GET /readyz
	default-server check inter 100ms fall 3 rise 1
	server a %[3]s
	server b %[4]s
`

// choose returns the proxies with these names.
func choose(names []string) ([]proxy, error) {
	var chosen []proxy
	for _, name := range names {
		i := slices.IndexFunc(proxies, func(x proxy) bool { return x.name == name })
		if i < 0 {
			return nil, fmt.Errorf("roll: there is no proxy %q, want nginx or haproxy", name)
		}
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("roll: %w", err)
		}
		chosen = append(chosen, proxies[i])
	}
	return chosen, nil
}

// start starts the proxy in front of two servers. The caller must stop it.
func (x proxy) start(ctx context.Context, dir string, servers [2]string) (*harness.Process, error) {
	dir = filepath.Join(dir, x.name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	p, err := harness.StartProxy(ctx, x.name, x.conf, dir, servers[0], servers[1])
	if err != nil {
		return nil, fmt.Errorf("roll: %s does not start: %w", x.name, err)
	}
	return p, nil
}
