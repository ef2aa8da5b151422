package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

// A node is an element of a page or a picture.
type node struct {
	name     string
	attr     map[string]string
	text     string // of the element itself
	children []*node
}

// parse parses a document. It parses a page leniently, because HTML does not close all elements.
func parse(t *testing.T, b []byte, page bool) *node {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	if page {
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	}
	root := &node{}
	open := []*node{root}
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v in\n%s", err, b)
		}
		top := open[len(open)-1]
		switch e := token.(type) {
		case xml.StartElement:
			n := &node{name: e.Name.Local, attr: map[string]string{}}
			for _, a := range e.Attr {
				n.attr[a.Name.Local] = a.Value
			}
			top.children = append(top.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.text += string(e)
		}
	}
	if len(open) != 1 {
		t.Fatalf("%d elements are not closed in\n%s", len(open)-1, b)
	}
	return root
}

// find returns all elements with that name and class below n. An empty name or class matches any.
func (n *node) find(name, class string) (found []*node) {
	for _, c := range n.children {
		if (name == "" || c.name == name) && (class == "" || slices.Contains(strings.Fields(c.attr["class"]), class)) {
			found = append(found, c)
		}
		found = append(found, c.find(name, class)...)
	}
	return found
}

// all returns the text of n and of all nodes below it.
func (n *node) all() string {
	s := n.text
	for _, c := range n.children {
		s += " " + c.all()
	}
	return s
}

// texts returns the text of each node.
func texts(nodes []*node) (s []string) {
	for _, n := range nodes {
		s = append(s, strings.Join(strings.Fields(n.all()), " "))
	}
	return s
}

// noLoads checks that the document loads nothing.
func noLoads(t *testing.T, n *node) {
	t.Helper()
	for _, c := range n.find("", "") {
		if slices.Contains([]string{"script", "link", "img", "image", "iframe", "object", "use", "foreignObject", "b"}, c.name) {
			t.Errorf("there is a %s element", c.name)
		}
		for k, v := range c.attr {
			if k == "xmlns" || strings.HasPrefix(v, "#") && k == "href" {
				continue
			}
			if strings.Contains(v, "//") || slices.Contains([]string{"src", "href", "srcset", "data"}, k) || strings.HasPrefix(k, "on") {
				t.Errorf("%s has %s=%q", c.name, k, v)
			}
		}
		if c.name == "style" && (strings.Contains(c.all(), "url(") || strings.Contains(c.all(), "@import")) {
			t.Error("a style loads something")
		}
	}
}
