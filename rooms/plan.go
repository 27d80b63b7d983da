package rooms

import "slices"

// Plan names the receivers of one emit within a namespace: the union of Rooms
// and Slots minus the union of Except and ExceptSlots. With Rooms and Slots
// both empty it starts from the whole namespace; with only rooms that do not
// exist it is empty. Slots that are not of the namespace are ignored.
type Plan struct {
	NS                 NS
	Rooms, Except      []string
	Slots, ExceptSlots []Slot
}

// AppendPlan appends the sockets p names, each once and in no order. It does
// not allocate when dst has room. The result holds slots, not references: it
// is valid until a named socket is removed.
func (s *Shard) AppendPlan(dst []Slot, p *Plan) []Slot {
	sp := s.space(p.NS)
	if sp == nil {
		return dst
	}
	everybody := len(p.Rooms) == 0 && len(p.Slots) == 0
	if len(p.Except) == 0 && len(p.ExceptSlots) == 0 {
		// One list has no member twice: nothing to mark or compare.
		if everybody {
			return s.appendAll(dst, sp)
		}
		if len(p.Rooms) == 1 && len(p.Slots) == 0 {
			return s.appendRoom(dst, sp, p.Rooms[0])
		}
	}
	s.nextEpoch()
	for _, slot := range p.ExceptSlots {
		if s.socket(slot) != nil {
			s.mark(slot)
		}
	}
	for _, name := range p.Except {
		s.markRoom(sp, name)
	}
	if everybody {
		return s.appendUnmarked(dst, sp)
	}
	for _, name := range p.Rooms {
		dst = s.appendFresh(dst, sp, name)
	}
	for _, slot := range p.Slots {
		k := s.socket(slot)
		if k != nil && &s.spaces[k.space-1] == sp && s.mark(slot) {
			dst = append(dst, slot)
		}
	}
	return dst
}

// nextEpoch makes all marks stale. After 2^32 plans the counter comes round,
// and marks of the first round would look fresh: they are cleared then.
func (s *Shard) nextEpoch() {
	s.epoch++
	if s.epoch != 0 {
		return
	}
	for _, c := range s.slots {
		if c != nil {
			clear(c.marks[:])
		}
	}
	s.epoch = 1
}

// mark marks a slot below the end of the table and returns false when it was
// marked already.
func (s *Shard) mark(slot Slot) bool {
	m := &s.slots[slot>>chunkBits].marks[slot&chunkMask]
	if *m == s.epoch {
		return false
	}
	*m = s.epoch
	return true
}

func (s *Shard) markRoom(sp *space, name string) {
	id, ok := sp.lookup(name)
	if !ok {
		return
	}
	l := s.room(id).members
	for c := s.members.newest(l); c.n > 0; c = s.members.older(c) {
		for _, w := range s.members.run(c) {
			s.mark(Slot(w))
		}
	}
}

func (s *Shard) appendAll(dst []Slot, sp *space) []Slot {
	dst = slices.Grow(dst, int(sp.all.len()))
	for c := s.everybody.newest(sp.all); c.n > 0; c = s.everybody.older(c) {
		dst = append(dst, s.everybody.run(c)...)
	}
	return dst
}

func (s *Shard) appendUnmarked(dst []Slot, sp *space) []Slot {
	for c := s.everybody.newest(sp.all); c.n > 0; c = s.everybody.older(c) {
		for _, slot := range s.everybody.run(c) {
			if s.slots[slot>>chunkBits].marks[slot&chunkMask] != s.epoch {
				dst = append(dst, slot)
			}
		}
	}
	return dst
}

func (s *Shard) appendRoom(dst []Slot, sp *space, name string) []Slot {
	id, ok := sp.lookup(name)
	if !ok {
		return dst
	}
	l := s.room(id).members
	dst = slices.Grow(dst, int(l.len()))
	for c := s.members.newest(l); c.n > 0; c = s.members.older(c) {
		for _, w := range s.members.run(c) {
			dst = append(dst, Slot(w))
		}
	}
	return dst
}

// appendFresh appends the members of a room that are not marked, and marks
// them.
func (s *Shard) appendFresh(dst []Slot, sp *space, name string) []Slot {
	id, ok := sp.lookup(name)
	if !ok {
		return dst
	}
	l := s.room(id).members
	for c := s.members.newest(l); c.n > 0; c = s.members.older(c) {
		for _, w := range s.members.run(c) {
			if s.mark(Slot(w)) {
				dst = append(dst, Slot(w))
			}
		}
	}
	return dst
}
