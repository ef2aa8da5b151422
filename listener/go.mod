module github.com/recycling-go/recycling/listener

go 1.25.0

require golang.org/x/sys v0.1.0
