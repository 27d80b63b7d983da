package sio

import "bytes"

// Parse reads one packet from the text of an Engine.IO message. b must be
// valid UTF-8 (a WebSocket text message is). The payload is validated
// completely, so that Data and Args may be relayed to other clients as they
// are. maxAttachments bounds the attachment count; DefaultMaxAttachments is
// what official servers use.
//
// It allocates nothing unless an event's name contains escapes. The error is
// one of the constants of this package, and final for the connection.
func Parse(b []byte, maxAttachments int) (Packet, error) {
	var p Packet
	if len(b) == 0 {
		return p, ErrEmpty
	}
	t := Type(b[0] - '0')
	if t > BinaryAck {
		return p, ErrUnknownType
	}
	p.Type = t
	i := 1
	if t.Binary() {
		n, end, err := parseCount(b, i, maxAttachments)
		if err != nil {
			return p, err
		}
		p.Attachments, i = n, end
	}
	p.Namespace = rootNamespace
	if i < len(b) && b[i] == '/' {
		// A namespace reaches to the comma or to the end; anything may be
		// in it, a query or JSON included. It will not be found, then.
		end := bytes.IndexByte(b[i:], ',')
		if end < 0 {
			p.Namespace = b[i:]
			i = len(b)
		} else {
			p.Namespace = b[i : i+end]
			i += end + 1
		}
	}
	for ; i < len(b) && isDigit(b[i]); i++ {
		p.HasID = true
		p.ID = p.ID*10 + uint64(b[i]-'0')
		if p.ID > MaxID {
			return p, ErrIllegalID
		}
	}
	if i == len(b) {
		return p, nil
	}
	return p, p.parsePayload(b[i:])
}

// parseCount reads the attachment count and its dash.
func parseCount(b []byte, i, limit int) (n, end int, err error) {
	start := i
	tooMany := false
	for ; i < len(b) && isDigit(b[i]); i++ {
		if n = n*10 + int(b[i]-'0'); n > limit {
			tooMany = true
			n = limit + 1 // further digits must not overflow
		}
	}
	switch {
	case i == start || i == len(b) || b[i] != '-' || (n == 0 && !tooMany):
		return 0, 0, ErrIllegalAttachments
	case tooMany:
		return 0, 0, ErrTooManyAttachments
	}
	return n, i + 1, nil
}

// parsePayload validates the JSON in b and takes it apart as the type says.
func (p *Packet) parsePayload(b []byte) error {
	start := skipBlanks(b, 0)
	end, commas, err := scanValue(b, start, MaxDepth)
	if err != nil {
		return err
	}
	if skipBlanks(b, end) != len(b) {
		return ErrBadJSON
	}
	data := b[start:end:end]
	switch first := data[0]; p.Type {
	case Connect:
		if first != '{' {
			return ErrInvalidPayload
		}
	case ConnectError:
		if first != '{' && first != '"' {
			return ErrInvalidPayload
		}
	case Disconnect:
		return ErrInvalidPayload
	case Ack, BinaryAck:
		if first != '[' {
			return ErrInvalidPayload
		}
		p.Args = trimBlanks(data[1 : len(data)-1])
	default:
		if first != '[' {
			return ErrInvalidPayload
		}
		if err := p.parseEvent(data, commas); err != nil {
			return err
		}
	}
	p.Data = data
	return nil
}

// parseEvent splits a validated array, which has that many commas, into the
// event's name and arguments.
func (p *Packet) parseEvent(data []byte, commas int) error {
	i := skipBlanks(data, 1)
	start := i
	switch c := data[i]; {
	case c == '"':
		i = skipString(data, i)
		name := data[start+1 : i-1 : i-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = appendUnquoted(make([]byte, 0, len(name)), name)
		}
		if IsReservedEvent(string(name)) {
			return ErrReservedEvent
		}
		p.Name, p.NameIsString = name, true
	case c == '-' || isDigit(c):
		i = skipValue(data, i)
	default:
		return ErrInvalidPayload
	}
	i = skipBlanks(data, i)
	if data[i] == ',' {
		p.Args = trimBlanks(data[i+1 : len(data)-1])
	}
	p.Single = commas == 1
	return nil
}
