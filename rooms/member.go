package rooms

import (
	"slices"
	"strings"
)

// link packs one side of a membership: the peer, and the address of the other
// side in the peer's list.
func link(peer, at uint32) uint64 { return uint64(at)<<32 | uint64(peer) }

func unlink(w uint64) (peer, at uint32) { return uint32(w), uint32(w >> 32) }

// Join puts slot into a room of its namespace, which is made when it does not
// exist; room is copied then. It returns false when slot is in already, or is
// not present.
func (s *Shard) Join(slot Slot, room string) bool {
	k := s.socket(slot)
	if k == nil {
		return false
	}
	sp := &s.spaces[k.space-1]
	id, ok := sp.lookup(room)
	if ok {
		if _, _, in := s.find(slot, k, id); in {
			return false
		}
	} else {
		id = s.newRoom(k.space-1, room)
	}
	r := s.room(id)
	ra := s.members.push(&r.members, 0)
	ka := s.joined.push(&k.rooms, link(id, ra))
	*s.members.word(ra) = link(slot, ka)
	if !ok && s.hooks.Create != nil {
		s.hooks.Create(sp.ns, r.name)
	}
	if s.hooks.Join != nil {
		s.hooks.Join(sp.ns, r.name, slot)
	}
	return true
}

// Leave takes slot out of a room, which vanishes with its last member. It
// returns false when slot was not in.
func (s *Shard) Leave(slot Slot, room string) bool {
	k := s.socket(slot)
	if k == nil {
		return false
	}
	id, ok := s.spaces[k.space-1].lookup(room)
	if !ok {
		return false
	}
	ra, ka, ok := s.find(slot, k, id)
	if !ok {
		return false
	}
	s.part(slot, k, id, ra, ka)
	return true
}

// In reports whether slot is in a room.
func (s *Shard) In(slot Slot, room string) bool {
	k := s.socket(slot)
	if k == nil {
		return false
	}
	id, ok := s.spaces[k.space-1].lookup(room)
	if !ok {
		return false
	}
	_, _, ok = s.find(slot, k, id)
	return ok
}

// AppendRooms appends the names of the rooms slot is in: in the order of
// joining until it leaves one, whose place the last room then takes. The names
// stay valid for good.
func (s *Shard) AppendRooms(dst []string, slot Slot) []string {
	k := s.socket(slot)
	if k == nil {
		return dst
	}
	end := len(dst) + int(k.rooms.len())
	dst = slices.Grow(dst, end-len(dst))[:end]
	for c := s.joined.newest(k.rooms); c.n > 0; c = s.joined.older(c) {
		end -= int(c.n)
		for i, w := range s.joined.run(c) {
			id, _ := unlink(w)
			dst[end+i] = s.room(id).name
		}
	}
	return dst
}

// RoomCount returns the number of rooms slot is in.
func (s *Shard) RoomCount(slot Slot) int {
	k := s.socket(slot)
	if k == nil {
		return 0
	}
	return int(k.rooms.len())
}

// CloseRoom takes every member out of a room, which vanishes, and returns how
// many there were.
func (s *Shard) CloseRoom(ns NS, room string) int {
	sp := s.space(ns)
	if sp == nil {
		return 0
	}
	id, ok := sp.lookup(room)
	if !ok {
		return 0
	}
	r := s.room(id)
	count := int(r.members.len())
	for range count {
		ra := s.members.last(r.members)
		slot, ka := unlink(*s.members.word(ra))
		s.part(slot, s.known(slot), id, ra, ka)
	}
	return count
}

// find returns the addresses of the membership of slot in room id: in the
// room's list and in the socket's. It walks the shorter one: the two sides
// differ most where a room is large or one socket watches very many rooms.
func (s *Shard) find(slot Slot, k *socket, id uint32) (ra, ka uint32, ok bool) {
	r := s.room(id)
	if r.members.len() < k.rooms.len() {
		return search(&s.members, r.members, slot)
	}
	ka, ra, ok = search(&s.joined, k.rooms, id)
	return ra, ka, ok
}

// search returns where l names peer, and the address stored with it.
func search(s *slab[uint64], l list, peer uint32) (at, other uint32, ok bool) {
	for c := s.newest(l); c.n > 0; c = s.older(c) {
		for i, w := range s.run(c) {
			if uint32(w) == peer {
				return c.at + uint32(i), uint32(w >> 32), true
			}
		}
	}
	return 0, 0, false
}

// part ends the membership at addresses ra of room id and ka of socket k. In
// both lists the newest word takes the freed place, and its other side is
// told.
func (s *Shard) part(slot Slot, k *socket, id, ra, ka uint32) {
	r := s.room(id)
	if last := s.members.last(r.members); ra != last {
		w := *s.members.word(last)
		*s.members.word(ra) = w
		_, other := unlink(w)
		*s.joined.word(other) = link(id, ra)
	}
	s.members.pop(&r.members)
	if last := s.joined.last(k.rooms); ka != last {
		w := *s.joined.word(last)
		*s.joined.word(ka) = w
		_, other := unlink(w)
		*s.members.word(other) = link(slot, ka)
	}
	s.joined.pop(&k.rooms)

	name, ns := r.name, s.spaces[r.space].ns
	gone := r.members.len() == 0
	if gone {
		s.endRoom(id, r)
	}
	if s.hooks.Leave != nil {
		s.hooks.Leave(ns, name, slot)
	}
	if gone && s.hooks.Delete != nil {
		s.hooks.Delete(ns, name)
	}
}

// newRoom makes an empty room; name is copied, because it may point into a
// larger message.
func (s *Shard) newRoom(in uint32, name string) uint32 {
	id := s.freeRooms
	if id != 0 {
		id--
		s.freeRooms = s.room(id).space
	} else {
		id = s.roomsUsed
		s.roomsUsed++
		if id%roomChunk == 0 {
			s.rooms = append(s.rooms, new([roomChunk]room))
		}
	}
	name = strings.Clone(name)
	*s.room(id) = room{name: name, space: in}
	sp := &s.spaces[in]
	if sp.byName == nil {
		sp.byName = make(map[string]uint32)
	}
	sp.byName[name] = id
	sp.peak = max(sp.peak, len(sp.byName))
	s.live++
	return id
}

func (s *Shard) endRoom(id uint32, r *room) {
	sp := &s.spaces[r.space]
	delete(sp.byName, r.name)
	if len(sp.byName) == 0 && sp.peak > bigMap {
		sp.byName, sp.peak = nil, 0
	}
	*r = room{space: s.freeRooms}
	s.freeRooms = id + 1
	s.live--
}
