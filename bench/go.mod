module github.com/recycling-go/recycling/bench

go 1.25.0

replace (
	github.com/recycling-go/recycling/core => ../core
	github.com/recycling-go/recycling/listener => ../listener
)

require (
	github.com/alitto/pond/v2 v2.7.1
	github.com/panjf2000/ants/v2 v2.12.1
	github.com/recycling-go/recycling/core v0.0.0
)

require (
	github.com/recycling-go/recycling/listener v0.0.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
)
