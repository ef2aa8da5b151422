package recyclinggin

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"
)

// resolveAddress chooses the address as gin does.
func resolveAddress(addr []string) string {
	switch len(addr) {
	case 0:
		if port := os.Getenv("PORT"); port != "" {
			debugPrint("Environment variable PORT=\"%s\"", port)
			return ":" + port
		}
		debugPrint("Environment variable PORT is undefined. Using port :8080 by default")
		return ":8080"
	case 1:
		return addr[0]
	default:
		panic("too many parameters")
	}
}

// warnOfProxies prints gin's warning if engine trusts all proxies. Gin does not export that
// setting, so warnOfProxies asks the engine for the client address of a request that came through a
// proxy.
func warnOfProxies(engine *gin.Engine) {
	const client = "192.0.2.1"
	if !gin.IsDebugging() {
		return
	}
	c := gin.CreateTestContextOnly(nil, engine)
	for _, proxy := range []string{"0.0.0.0:1", "[::]:1"} {
		c.Request = &http.Request{RemoteAddr: proxy, Header: make(http.Header)}
		for _, name := range engine.RemoteIPHeaders {
			c.Request.Header.Set(name, client)
		}
		if c.ClientIP() == client {
			debugPrint("[WARNING] You trusted all proxies, this is NOT safe. We recommend you to set a value.\n" +
				"Please check https://github.com/gin-gonic/gin/blob/master/docs/doc.md#dont-trust-all-proxies for details.")
			return
		}
	}
}

// debugPrint prints where gin prints its messages in debug mode.
func debugPrint(format string, values ...any) {
	if !gin.IsDebugging() {
		return
	}
	if gin.DebugPrintFunc != nil {
		gin.DebugPrintFunc(format, values...)
		return
	}
	if !strings.HasSuffix(format, "\n") {
		format += "\n"
	}
	fmt.Fprintf(gin.DefaultWriter, "[GIN-debug] "+format, values...)
}

func debugPrintError(err error) {
	if err != nil && gin.IsDebugging() {
		fmt.Fprintf(gin.DefaultErrorWriter, "[GIN-debug] [ERROR] %v\n", err)
	}
}
