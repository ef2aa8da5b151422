module github.com/recycling-go/recycling/adapters/echo

go 1.25.0

require (
	github.com/labstack/echo/v4 v4.13.3
	github.com/recycling-go/recycling/core v0.0.0
	github.com/recycling-go/recycling/listener v0.0.0
	golang.org/x/crypto v0.31.0
	golang.org/x/net v0.33.0
)

require (
	github.com/alitto/pond/v2 v2.7.1 // indirect
	github.com/labstack/gommon v0.4.2 // indirect
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fasttemplate v1.2.2 // indirect
	golang.org/x/sys v0.28.0 // indirect
	golang.org/x/text v0.21.0 // indirect
)

replace (
	github.com/recycling-go/recycling/core => ../../core
	github.com/recycling-go/recycling/listener => ../../listener
)
