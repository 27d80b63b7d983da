package queue

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Limits of one message.
const (
	// MaxMessage bounds its bytes, and those that a pickle grows to.
	MaxMessage = 16 << 20
	// maxValues bounds the values in it.
	maxValues = 1 << 20
	// maxNames bounds rooms and ids in one list.
	maxNames = 1 << 16
	// maxAttachments bounds binary values; servers allow much less.
	maxAttachments = 1000
)

type object map[string]json.RawMessage

// readObject reads the members of a JSON object. Python writes NaN, Infinity
// and -Infinity, which are no JSON: they become null, as JavaScript would.
func readObject(b []byte) (object, error) {
	var o object
	err := json.Unmarshal(b, &o)
	if err != nil && (bytes.Contains(b, []byte("NaN")) || bytes.Contains(b, []byte("Infinity"))) {
		err = json.Unmarshal(withoutNaN(b), &o)
	}
	if err != nil {
		return nil, refuse("no JSON object: %v", err)
	}
	return o, nil
}

// withoutNaN returns b with the words of Python's floats replaced by null
// where they stand outside strings. The result may be no JSON for other
// reasons.
func withoutNaN(b []byte) []byte {
	out := make([]byte, 0, len(b))
	inside := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '"':
			inside = !inside
		case inside && c == '\\' && i+1 < len(b):
			out = append(out, c)
			i++
			c = b[i]
		case !inside && (c == 'N' || c == 'I' || c == '-'):
			n := 0
			for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(b[i:], []byte(word)) {
					n = len(word)
				}
			}
			if n > 0 {
				out = append(out, "null"...)
				i += n - 1
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// text is the string member of a name; "" if it is missing or null.
func (o object) text(name string) (string, error) {
	raw := o[name]
	if isNull(raw) {
		return "", nil
	}
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", refuse("%s is no string", name)
	}
	return s, nil
}

// name reads the name of a room, a string or a number: rooms have strings as
// names here, those of a number are its digits.
func name(field string, raw json.RawMessage) (string, error) {
	switch {
	case len(raw) == 0:
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err == nil {
			return s, nil
		}
	case raw[0] == '-' || raw[0]-'0' < 10:
		if f, err := strconv.ParseFloat(string(raw), 64); err == nil {
			if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
				return strconv.FormatInt(n, 10), nil
			}
			return strconv.FormatFloat(f, 'g', -1, 64), nil
		}
	}
	return "", refuse("%s is neither a string nor a number", field)
}

// names reads one name or a list of them; none if the member is missing or
// null.
func (o object) names(field string) ([]string, error) {
	raw := o[field]
	if isNull(raw) {
		return nil, nil
	}
	if raw[0] != '[' {
		s, err := name(field, raw)
		return []string{s}, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, refuse("%s: %v", field, err)
	}
	if len(list) > maxNames {
		return nil, refuse("%s has %d entries, more than %d", field, len(list), maxNames)
	}
	out := make([]string, len(list))
	for i, raw := range list {
		var err error
		if out[i], err = name(field, raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}
