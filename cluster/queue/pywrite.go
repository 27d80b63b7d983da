package queue

import (
	"math"
	"math/big"
	"strconv"

	"github.com/throng-server/throng/protocol/sio"
)

// pyWriter writes values of a pickle as JSON. What it writes is bounded,
// because a pickle of a few bytes can refer to one value very often, or to
// itself.
type pyWriter struct {
	values, bytes int // that may still be written
	atts          [][]byte
}

// raw is v as JSON with its bytes as attachments.
func (w *pyWriter) raw(v any) (sio.Raw, error) {
	w.atts = nil
	text, err := w.value(nil, v, 1)
	return sio.Raw{JSON: text, Attachments: w.atts}, err
}

// spend counts n bytes.
func (w *pyWriter) spend(n int) error {
	if w.bytes -= n; w.bytes < 0 {
		return refuse("pickle: it grows beyond %d bytes", MaxMessage)
	}
	return nil
}

func (w *pyWriter) value(dst []byte, v any, depth int) ([]byte, error) {
	if w.values--; w.values < 0 {
		return dst, refuse("pickle: it grows beyond %d values", maxValues)
	}
	if depth > sio.MaxDepth {
		return dst, refuse("pickle: nested more than %d deep, or in itself", sio.MaxDepth)
	}
	start := len(dst)
	switch v := v.(type) {
	case string:
		// Before it is written: a control character takes six bytes.
		if err := w.spend(2 + len(v)); err != nil {
			return dst, err
		}
		return sio.AppendString(dst, v), nil
	case []byte:
		if len(w.atts) == maxAttachments {
			return dst, refuse("pickle: more than %d attachments", maxAttachments)
		}
		if err := w.spend(len(v)); err != nil {
			return dst, err
		}
		dst = sio.AppendPlaceholder(dst, len(w.atts))
		w.atts = append(w.atts, v)
		return dst, nil
	case *pyList:
		return w.list(dst, v.items, depth)
	case *pyTuple:
		return w.list(dst, v.items, depth)
	case *pyDict:
		return w.dict(dst, v, depth)
	case nil:
		dst = append(dst, "null"...)
	case bool:
		dst = strconv.AppendBool(dst, v)
	case int64:
		dst = strconv.AppendInt(dst, v, 10)
	case *big.Int:
		dst = v.Append(dst, 10)
	case float64:
		dst = sio.AppendNumber(dst, v)
	}
	return dst, w.spend(len(dst) - start)
}

func (w *pyWriter) list(dst []byte, items []any, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = w.value(dst, item, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (w *pyWriter) dict(dst []byte, d *pyDict, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for i, k := range d.keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, err := pyKey(k)
		if err != nil {
			return dst, err
		}
		if err := w.spend(3 + len(key)); err != nil {
			return dst, err
		}
		dst = append(sio.AppendString(dst, key), ':')
		if dst, err = w.value(dst, d.values[i], depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// pyKey is what Python's json module writes for a key.
func pyKey(k any) (string, error) {
	switch k := k.(type) {
	case string:
		return k, nil
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(k), nil
	case int64:
		return strconv.FormatInt(k, 10), nil
	case *big.Int:
		return k.String(), nil
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1e16 {
			return strconv.FormatFloat(k, 'f', 1, 64), nil
		}
		return strconv.FormatFloat(k, 'g', -1, 64), nil
	}
	return "", refuse("pickle: a key of a dict is neither text nor a number")
}
