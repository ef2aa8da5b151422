module github.com/recycling-go/recycling/adapters/orchestrion

go 1.25.0

require github.com/recycling-go/recycling/core v0.0.0

require (
	github.com/alitto/pond/v2 v2.7.1 // indirect
	github.com/recycling-go/recycling/listener v0.0.0 // indirect
	golang.org/x/sys v0.1.0 // indirect
)

replace (
	github.com/recycling-go/recycling/core => ../../core
	github.com/recycling-go/recycling/listener => ../../listener
)
