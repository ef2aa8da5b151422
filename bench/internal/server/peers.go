package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/cloudwego/hertz/pkg/app"
	hertz "github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/valyala/fasthttp"
)

// fasthttp listens as fasthttp.ListenAndServe does.
func (c config) fasthttp() error {
	l, err := net.Listen("tcp4", c.addr)
	if err != nil {
		return err
	}
	answer := func(ctx *fasthttp.RequestCtx, body string, err error) {
		if err != nil {
			ctx.Error(err.Error(), http.StatusBadRequest)
			return
		}
		ctx.WriteString(body)
	}
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		path := string(ctx.Path())
		switch {
		case path == "/upload" && ctx.IsPost():
			ctx.WriteString(strconv.Itoa(len(ctx.PostBody())))
		case strings.HasPrefix(path, "/bytes/"):
			b, err := content(path[len("/bytes/"):])
			if err != nil {
				ctx.Error(err.Error(), http.StatusBadRequest)
				return
			}
			ctx.SetContentType(binary)
			ctx.Response.SetBodyRaw(b)
		case path == "/yo":
			ctx.WriteString("Hey!")
		case strings.HasPrefix(path, "/sleep/"):
			answer(ctx, "slept", pause(path[len("/sleep/"):]))
		case strings.HasPrefix(path, "/work/"):
			answer(ctx, "worked", compute(path[len("/work/"):], c.rounds))
		default:
			ctx.Error("not found", http.StatusNotFound)
		}
	}}
	announce(l.Addr())
	if c.TLS {
		s.TLSConfig = c.tlsConfig()
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

// hertz listens as hertz does when it gets an address, but opens the listener itself, because hertz
// does not report its address. It calls Run instead of Spin, which would also drain on a signal.
func (c config) hertz() error {
	hlog.SetOutput(io.Discard)
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	answer := func(ctx *app.RequestContext, body string, err error) {
		if err != nil {
			ctx.String(http.StatusBadRequest, err.Error())
			return
		}
		ctx.String(http.StatusOK, body)
	}
	h := hertz.New(hertz.WithListener(l))
	h.GET("/yo", func(_ context.Context, ctx *app.RequestContext) { ctx.String(http.StatusOK, "Hey!") })
	h.GET("/sleep/:ms", func(_ context.Context, ctx *app.RequestContext) { answer(ctx, "slept", pause(ctx.Param("ms"))) })
	h.GET("/work/:ms", func(_ context.Context, ctx *app.RequestContext) {
		answer(ctx, "worked", compute(ctx.Param("ms"), c.rounds))
	})
	h.GET("/bytes/:n", func(_ context.Context, ctx *app.RequestContext) {
		b, err := content(ctx.Param("n"))
		if err != nil {
			ctx.String(http.StatusBadRequest, err.Error())
			return
		}
		ctx.Data(http.StatusOK, binary, b)
	})
	h.POST("/upload", func(_ context.Context, ctx *app.RequestContext) {
		ctx.String(http.StatusOK, strconv.Itoa(len(ctx.Request.Body())))
	})
	announce(l.Addr())
	return h.Run()
}

// nbio serves net/http handlers, with the default configuration of its HTTP engine.
func (c config) nbio() error {
	logging.SetLevel(logging.LevelNone) // it would log to standard output, which the parent reads
	h, _ := routers[c.Router](c.rounds)
	addrs := []string{c.addr} // Start replaces it with the actual address
	e := nbhttp.NewEngine(nbhttp.Config{Network: "tcp", Addrs: addrs, Handler: h})
	if err := e.Start(); err != nil {
		return err
	}
	a, err := net.ResolveTCPAddr("tcp", addrs[0])
	if err != nil {
		return err
	}
	announce(a)
	e.Wait()
	return nil
}
