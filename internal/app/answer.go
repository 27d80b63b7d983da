package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/throng-server/throng/protocol/sio"
)

// answer is what an endpoint says to one call.
type answer struct {
	Do []step `json:"do"`
	// Refuse answers a connect call only.
	Refuse *refusal `json:"refuse"`
	Error  *string  `json:"error"`
}

type refusal struct {
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// step is one action: exactly one of the fields Emit, Join, Leave, Set, Ack
// and Disconnect, which is its verb.
type step struct {
	Emit     *string           `json:"emit"`
	Args     []json.RawMessage `json:"args"`
	To       names             `json:"to"`
	All      bool              `json:"all"`
	Except   names             `json:"except"`
	Volatile bool              `json:"volatile"`

	Join       names              `json:"join"`
	Leave      names              `json:"leave"`
	Set        json.RawMessage    `json:"set"`
	Ack        *[]json.RawMessage `json:"ack"`
	Disconnect *string            `json:"disconnect"`
}

// names is one string or a list of them. Null is neither: a room that somebody
// forgot to set would make an emit to it one to the sender.
type names []string

func (n *names) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		var one string
		err := json.Unmarshal(b, &one)
		*n = names{one}
		return err
	}
	var list []*string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if list == nil || slices.Contains(list, nil) {
		return errors.New("null in place of a name")
	}
	*n = make(names, len(list))
	for i, name := range list {
		(*n)[i] = *name
	}
	return nil
}

// action is a step that has been found to be possible.
type action struct {
	*step
	args []any
}

// scratch is what checked steps are encoded into. Larger ones are not kept.
var scratch sync.Pool // of *[]byte

const maxScratch = 64 << 10

// splitAnswers splits the answer to a batch.
func splitAnswers(text []byte, n int) ([][]byte, *Failure) {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil || len(list) != n {
		return nil, invalid(fmt.Sprintf("to %d calls: not a list of as many answers", n))
	}
	parts := make([][]byte, n)
	for i, a := range list {
		parts[i] = a
	}
	return parts, nil
}

// parse reads the answer to one call. Everything that could go wrong later does
// so here: what is returned can be done as a whole.
func (p *port) parse(text []byte) (list []action, refuse *refusal, f *Failure) {
	// Many encoders end with a newline.
	if text = bytes.TrimSpace(text); len(text) == 0 || string(text) == "null" {
		return nil, nil, nil
	}
	var a answer
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a misspelled verb would be dropped silently
	if err := d.Decode(&a); err != nil {
		return nil, nil, invalid(err.Error())
	}
	if d.InputOffset() != int64(len(text)) {
		return nil, nil, invalid("something follows the object")
	}
	if a.Error != nil {
		return nil, nil, &Failure{Code: CodeFailed, Message: *a.Error}
	}
	list = make([]action, len(a.Do))
	for i := range a.Do {
		list[i].step = &a.Do[i]
		if err := p.check(&list[i]); err != nil {
			return nil, nil, invalid(fmt.Sprintf("do[%d]: %s", i, err))
		}
	}
	return list, a.Refuse, nil
}

// check makes sure that a step can be done.
func (p *port) check(a *action) error {
	s, verbs := a.step, 0
	for _, has := range [...]bool{s.Emit != nil, s.Join != nil, s.Leave != nil, s.Set != nil,
		s.Ack != nil, s.Disconnect != nil} {
		if has {
			verbs++
		}
	}
	if verbs != 1 {
		return fmt.Errorf("%d of emit, join, leave, set, ack and disconnect; one is needed", verbs)
	}
	if s.Emit == nil && (s.Args != nil || s.To != nil || s.All || s.Except != nil || s.Volatile) {
		return fmt.Errorf("args, to, all, except and volatile belong to emit")
	}
	switch {
	case s.Emit != nil:
		if s.To != nil && s.All {
			return fmt.Errorf("emit to rooms and to all")
		}
		if s.Except != nil && s.To == nil && !s.All {
			return fmt.Errorf("emit to the sender except some: to or all is missing")
		}
		return p.checkArgs(a, *s.Emit, s.Args)
	case s.Ack != nil:
		return p.checkArgs(a, "", *s.Ack)
	case s.Set != nil && len(s.Set) > p.o.MaxSession:
		return fmt.Errorf("set: longer than %d bytes", p.o.MaxSession)
	case s.Disconnect != nil && *s.Disconnect != "namespace" && *s.Disconnect != "connection":
		return fmt.Errorf(`disconnect: %q is neither "namespace" nor "connection"`, *s.Disconnect)
	}
	return nil
}

// checkArgs prepares arguments and encodes them once for nothing: that shows
// what the encoder would refuse.
func (p *port) checkArgs(a *action, event string, args []json.RawMessage) error {
	a.args = make([]any, 0, len(args))
	for i, text := range args {
		raw, err := parseArg(text)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
		a.args = append(a.args, raw)
	}
	var err error
	var atts [][]byte
	room, _ := scratch.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	buf := (*room)[:0]
	if a.Emit != nil {
		buf, atts, err = sio.AppendEvent(buf, p.ns.Name(), -1, event, a.args)
	} else {
		buf, atts, err = sio.AppendAck(buf, p.ns.Name(), 0, a.args)
	}
	if cap(buf) <= maxScratch {
		*room = buf
		scratch.Put(room)
	}
	if err == nil && len(atts) > p.o.MaxAttachments {
		err = fmt.Errorf("more than %d binary values", p.o.MaxAttachments)
	}
	return err
}
