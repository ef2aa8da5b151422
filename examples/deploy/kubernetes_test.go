package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// manifests are the objects in the folder kubernetes.
type manifests struct {
	deployment appsv1.Deployment
	service    corev1.Service
	budget     policyv1.PodDisruptionBudget
}

// readManifests decodes the files as the API server does with strict field validation: an unknown
// or repeated field is an error.
func readManifests(t *testing.T) *manifests {
	t.Helper()
	m := new(manifests)
	objects := map[string]any{
		"apps/v1 Deployment":            &m.deployment,
		"v1 Service":                    &m.service,
		"policy/v1 PodDisruptionBudget": &m.budget,
	}
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(files) != len(objects) {
		t.Fatalf("%q, %v, want %d files", files, err, len(objects))
	}
	for _, file := range files {
		kind, err := decode(read(t, file), objects)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		delete(objects, kind)
	}
	return m
}

// decode decodes a manifest into the object of its kind.
func decode(text string, objects map[string]any) (kind string, err error) {
	b, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return "", err
	}
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(b, &meta); err != nil {
		return "", err
	}
	kind = meta.APIVersion + " " + meta.Kind
	o, ok := objects[kind]
	if !ok {
		return "", fmt.Errorf("%s is unexpected", kind)
	}
	strict, err := kjson.UnmarshalStrict(b, o)
	if err == nil && len(strict) > 0 {
		err = strict[0]
	}
	return kind, err
}

func TestUnknownFieldsOfManifestsAreFound(t *testing.T) {
	for old, new := range map[string]string{
		"maxUnavailable: 1":   "maxUnavailble: 1",
		"  maxUnavailable: 1": "  maxUnavailable: 1\n  maxUnavailable: 1",
		"maxUnavailable: ":    "MaxUnavailable: ",
		"policy/v1":           "policy/v1beta1",
	} {
		text := replace(t, read(t, "kubernetes/poddisruptionbudget.yaml"), old, new)
		if _, err := decode(text, map[string]any{"policy/v1 PodDisruptionBudget": &policyv1.PodDisruptionBudget{}}); err == nil {
			t.Errorf("%q is accepted", new)
		}
	}
}

func TestManifestsSelectTheSamePods(t *testing.T) {
	m := readManifests(t)
	labels := m.deployment.Spec.Template.Labels
	for name, selector := range map[string]map[string]string{
		"Deployment":          m.deployment.Spec.Selector.MatchLabels,
		"Service":             m.service.Spec.Selector,
		"PodDisruptionBudget": m.budget.Spec.Selector.MatchLabels,
		"spread constraint":   m.deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		if len(selector) == 0 {
			t.Errorf("the selector of the %s is empty", name)
		}
		for k, v := range selector {
			if labels[k] != v {
				t.Errorf("the %s selects %s: %s, the pods have %q", name, k, v, labels[k])
			}
		}
	}
	if m.budget.Spec.MaxUnavailable.IntValue() >= int(*m.deployment.Spec.Replicas) {
		t.Error("the PodDisruptionBudget allows to evict all pods at once")
	}
}

// container returns the only container of the pods, and what its arguments mean.
func (m *manifests) container(t *testing.T) (*corev1.Container, config) {
	t.Helper()
	if n := len(m.deployment.Spec.Template.Spec.Containers); n != 1 {
		t.Fatalf("%d containers, want 1", n)
	}
	c := &m.deployment.Spec.Template.Spec.Containers[0]
	return c, parsed(t, c.Args...)
}

// The kubelet must not kill the process before it has drained, and load balancers must have noticed
// that it drains before it stops accepting.
func TestGracePeriodFitsDraining(t *testing.T) {
	m := readManifests(t)
	c, conf := m.container(t)
	needed := conf.lameDuck + conf.drainTimeout
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		if c.Lifecycle.PreStop.Sleep == nil {
			t.Fatal("the time of the preStop hook is unknown")
		}
		needed += time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	}
	grace := time.Duration(*m.deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if grace < needed+5*time.Second {
		t.Errorf("terminationGracePeriodSeconds is %v, draining takes %v, want 5 s more", grace, needed)
	}
	p := c.ReadinessProbe
	noticed := time.Duration(p.PeriodSeconds*p.FailureThreshold+p.TimeoutSeconds) * time.Second
	if noticed > conf.lameDuck {
		t.Errorf("readiness fails after up to %v, but -lame-duck is %v", noticed, conf.lameDuck)
	}
}

func TestProbesAskHealthPath(t *testing.T) {
	c, _ := readManifests(t).container(t)
	ports := map[string]bool{}
	for _, p := range c.Ports {
		ports[p.Name] = true
	}
	for name, tt := range map[string]struct {
		probe *corev1.Probe
		path  string
	}{
		"startup":   {c.StartupProbe, healthPath},
		"liveness":  {c.LivenessProbe, healthPath},
		"readiness": {c.ReadinessProbe, healthPath + "?ready"},
	} {
		get := tt.probe.HTTPGet
		if get.Path != tt.path || get.Port.Type != intstr.String || !ports[get.Port.StrVal] {
			t.Errorf("%s asks %s on port %s, want %s on a port of %v", name, get.Path, get.Port.String(), tt.path, ports)
		}
	}
}

func TestServiceExposesOnlyThePublicPort(t *testing.T) {
	m := readManifests(t)
	c, conf := m.container(t)
	if len(m.service.Spec.Ports) != 1 {
		t.Fatalf("%d ports, want 1", len(m.service.Spec.Ports))
	}
	target := m.service.Spec.Ports[0].TargetPort.StrVal
	for _, p := range c.Ports {
		if p.Name == target {
			if addr := fmt.Sprintf(":%d", p.ContainerPort); addr != conf.addr {
				t.Errorf("the Service sends requests to %s, the application listens on %s", addr, conf.addr)
			}
			return
		}
	}
	t.Errorf("no port is called %q", target)
}

func TestMemoryLimitOfGoFitsTheContainer(t *testing.T) {
	c, _ := readManifests(t).container(t)
	checkMemory(t, env(c, "GOMEMLIMIT"), c.Resources.Limits.Memory().Value())
	if cpu := c.Resources.Limits.Cpu(); cpu.MilliValue()%1000 != 0 {
		t.Errorf("limits.cpu is %s, want a whole number", cpu)
	}
}

// checkMemory fails unless GOMEMLIMIT is 80 to 95 % of what the system allows.
func checkMemory(t *testing.T, text string, allowed int64) {
	t.Helper()
	var n int64
	if _, err := fmt.Sscanf(text, "%dMiB", &n); err != nil {
		t.Fatalf("GOMEMLIMIT is %q: %v", text, err)
	}
	if share := n << 20 * 100 / allowed; share < 80 || share > 95 {
		t.Errorf("GOMEMLIMIT is %d %% of the memory, want 80 to 95", share)
	}
}

func env(c *corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

func TestContainerIsConfined(t *testing.T) {
	m := readManifests(t)
	c, _ := m.container(t)
	pod, s := m.deployment.Spec.Template.Spec, c.SecurityContext
	if p := pod.SecurityContext; !*p.RunAsNonRoot || *p.RunAsUser == 0 || p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod may run as root, or without seccomp: %v", p)
	}
	if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || fmt.Sprint(s.Capabilities.Drop) != "[ALL]" {
		t.Errorf("the container has too many rights: %v", s)
	}
	if *pod.AutomountServiceAccountToken || *pod.EnableServiceLinks {
		t.Error("the pod gets a token, or variables of Services")
	}
	if tag := c.Image[strings.LastIndex(c.Image, "/"):]; !strings.Contains(tag, ":") || strings.HasSuffix(tag, ":latest") {
		t.Errorf("the image is %s, want a tag that does not move", c.Image)
	}
	if user := fmt.Sprint(*pod.SecurityContext.RunAsUser); !strings.HasPrefix(dockerfile(t).last("USER"), user+":") {
		t.Errorf("the pod runs as user %s, the image has another one", user)
	}
}
