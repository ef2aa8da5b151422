package engine

import (
	"crypto/tls"
	"net"
	"reflect"
	"unsafe"
)

// tlsListener is the type of the listeners of package tls.
var tlsListener = reflect.TypeOf(tls.NewListener(nil, nil))

// unwrapTLS returns the listener and the config that a listener of package tls was made from, and
// reports whether l is one. Package tls has no API for that: its listener embeds the other one, and
// has the config in a field. If a future version differs, l is treated like any other listener.
func unwrapTLS(l net.Listener) (inner net.Listener, config *tls.Config, ok bool) {
	v := reflect.ValueOf(l)
	if !v.IsValid() || v.Type() != tlsListener || v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, nil, false
	}
	v = v.Elem()
	if v.Kind() != reflect.Struct {
		return nil, nil, false
	}
	under, set := v.FieldByName("Listener"), v.FieldByName("config")
	if !under.IsValid() || under.Type() != reflect.TypeFor[net.Listener]() || !set.IsValid() || set.Type() != reflect.TypeFor[*tls.Config]() {
		return nil, nil, false
	}
	inner, _ = under.Interface().(net.Listener)
	config = *(**tls.Config)(unsafe.Pointer(set.UnsafeAddr()))
	return inner, config, inner != nil && config != nil
}
