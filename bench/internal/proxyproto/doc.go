// Package proxyproto only has a test: it compares this project's parser of the PROXY protocol with
// that of github.com/pires/go-proxyproto. It is in module bench because no other module may depend
// on that.
package proxyproto
