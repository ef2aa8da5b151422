// Package gohttp names the differences between the versions of net/http that this module can be
// built with. The rest of the module is the same for all of them: only this package depends on the
// version of Go.
//
//	go1.26.9
//		ConnectCloses       the connection of a CONNECT ends with its response
//		ConnectHasNoClose   a 2xx response to CONNECT does not say "Connection: close"
//		OldCloseIsSilent    an HTTP/1.0 response that ends the connection has no Connection field
//		                    except the handler's own "close"
//	go1.26.11
//		ExpectedBodyIsRead  with "Expect: 100-continue", the connection is closed unless the body
//		                    was read to its end
//		AnswerClosesBody    the rest of a body is read and closed before the response, even if the
//		                    body is invalid or too long to be read
//		LimitSetsNoField    http.MaxBytesReader leaves the handler's header alone; in go1.27.4,
//		                    but not in go1.27
//	go1.27
//		LateBodyIsRefused   after a response before "100 Continue", the body can no longer be read
//		CopyStopsAtLength   ReadFrom copies no more than Content-Length bytes
//		StateMeansTLS       any connection with a method ConnectionState is a TLS connection
//		MaxHeaderValues     http.Server.MaxHeaderValueCount limits the fields of a header
//		Protocols           an http.Server.Protocols with nothing set means HTTP/1
//
// HTTP/2 is always net/http's own.
package gohttp
