package task

import (
	"encoding/json"
	"fmt"
)

// An Encoding encodes inputs and outputs for another process. Its methods may be called by several
// goroutines at once.
type Encoding interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(b []byte, v any) error // v is a pointer
}

var (
	// JSON encodes as package encoding/json does.
	JSON Encoding = jsonEncoding{}

	// Bytes leaves a []byte as it is. Other types are an error.
	Bytes Encoding = bytesEncoding{}
)

type jsonEncoding struct{}

func (jsonEncoding) Marshal(v any) ([]byte, error)   { return json.Marshal(v) }
func (jsonEncoding) Unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

type bytesEncoding struct{}

func (bytesEncoding) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("type is %T, want []byte", v)
	}
	return b, nil
}

func (bytesEncoding) Unmarshal(b []byte, v any) error {
	p, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("type is %T, want *[]byte", v)
	}
	*p = b
	return nil
}
