package sio

// Assembler collects the attachments of one binary packet at a time. The zero
// value is idle and ready. It has one owner at a time; connections that never
// send binary need none.
type Assembler struct {
	packet      Packet
	attachments [][]byte
	left        int // bytes that may still come
}

// Begin starts with a binary packet from Parse. The packet must not alias a
// buffer that is used again before the last attachment: the caller copies the
// text and parses the copy. maxBytes bounds the packet's JSON and attachments
// together.
//
// It returns ErrPendingAttachments while another packet is incomplete,
// ErrUnexpectedBinary for a packet without attachments, and ErrTooLarge; all
// are final for the connection.
func (a *Assembler) Begin(p Packet, maxBytes int) error {
	switch {
	case a.Pending():
		return ErrPendingAttachments
	case p.Attachments <= 0:
		return ErrUnexpectedBinary
	case len(p.Data) > maxBytes:
		return ErrTooLarge
	}
	a.packet = p
	a.attachments = make([][]byte, 0, p.Attachments)
	a.left = maxBytes - len(p.Data)
	return nil
}

// Pending reports whether attachments are still to come. A text message that
// arrives now is a violation.
func (a *Assembler) Pending() bool { return a.packet.Attachments > 0 }

// Add takes the next binary message; b is kept, not copied. When it was the
// last one, done is true and Take must follow. Errors are final for the
// connection: ErrUnexpectedBinary, ErrTooLarge, ErrIllegalAttachments.
func (a *Assembler) Add(b []byte) (done bool, err error) {
	if !a.Pending() || len(a.attachments) == a.packet.Attachments {
		return false, ErrUnexpectedBinary
	}
	if len(b) > a.left {
		return false, ErrTooLarge
	}
	a.left -= len(b)
	a.attachments = append(a.attachments, b)
	if len(a.attachments) < a.packet.Attachments {
		return false, nil
	}
	return true, CheckPlaceholders(a.packet.Data, len(a.attachments))
}

// Take returns the packet and its attachments and makes the Assembler idle,
// holding nothing. Called early it abandons an incomplete packet.
func (a *Assembler) Take() (Packet, [][]byte) {
	p, atts := a.packet, a.attachments
	*a = Assembler{}
	return p, atts
}
