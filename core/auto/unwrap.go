package auto

import (
	"net"
	"reflect"
	"slices"
)

// plain are types of listeners that embed a *net.TCPListener and only set the keep-alive time of
// the connections that they accept, to three minutes. The server sets it to 15 seconds, as package
// net does.
var plain = []string{
	"github.com/labstack/echo/v4.tcpKeepAliveListener",
	"github.com/labstack/echo.tcpKeepAliveListener",
}

// unwrap returns the listener that a plain one embeds, since connections of that can park. It
// returns any other listener as it is.
func unwrap(l net.Listener) net.Listener { return unwrapTypes(l, plain) }

func unwrapTypes(l net.Listener, types []string) net.Listener {
	v := reflect.ValueOf(l)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() != reflect.Struct || !slices.Contains(types, v.Type().PkgPath()+"."+v.Type().Name()) {
		return l
	}
	if v.NumField() != 1 || !v.Type().Field(0).Anonymous {
		return l
	}
	if inner, ok := v.Field(0).Interface().(*net.TCPListener); ok && inner != nil {
		return inner
	}
	return l
}
