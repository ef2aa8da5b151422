module github.com/recycling-go/recycling/bench

go 1.25.0

replace (
	github.com/recycling-go/recycling/core => ../core
	github.com/recycling-go/recycling/listener => ../listener
)
