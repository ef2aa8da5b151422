module github.com/recycling-go/recycling/core

go 1.25.0

require (
	github.com/recycling-go/recycling/listener v0.0.0
	golang.org/x/sys v0.1.0
)

require github.com/alitto/pond/v2 v2.7.1

replace github.com/recycling-go/recycling/listener => ../listener
