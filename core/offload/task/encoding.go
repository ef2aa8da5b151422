package task

import (
	"encoding/json"
	"fmt"
)

// An Encoding encodes inputs and outputs for another process. Its methods may be called by several
// goroutines at once.
type Encoding interface {
	// Marshal returns v in its encoded form.
	Marshal(v any) ([]byte, error)

	// Unmarshal decodes b and stores the result where the pointer v points. The result may refer to
	// b, which must not be changed afterwards.
	Unmarshal(b []byte, v any) error
}

var (
	// JSON encodes as package encoding/json does.
	JSON Encoding = jsonEncoding{}

	// Bytes passes a []byte on as it is, without a copy. Other types are an error.
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
