package rooms

import "iter"

// Slot is a socket: one namespace membership of one connection. Slots should
// be dense, because tables reach up to the highest one in use.
type Slot = uint32

// NS is a namespace, by a number of the caller's choice.
type NS = uint32

// Hooks are told about changes, after each change is complete. They run on the
// loop, may read the Shard, and must not change it. A nil func is skipped.
// Order: Create before the first member's Join, Delete after the last one's
// Leave.
type Hooks struct {
	Create, Delete func(ns NS, room string)
	Join, Leave    func(ns NS, room string, s Slot)
}

// Shard holds the sockets and rooms of one loop. Not safe for concurrent use;
// all methods are loop only.
type Shard struct {
	hooks Hooks

	// Sockets.
	slots []*slotChunk
	epoch uint32

	// Namespaces that have sockets. An emptied space keeps its map for the
	// next namespace.
	byNS       map[NS]uint32
	spaces     []space
	freeSpaces []uint32
	everybody  slab[uint32]

	// Rooms.
	rooms     []*[roomChunk]room
	roomsUsed uint32 // ids below this have been handed out
	freeRooms uint32 // head of vanished ids + 1, linked by room.space
	live      int
	members   slab[uint64] // of rooms: link(slot, position in the socket's list)
	joined    slab[uint64] // of sockets: link(room, position in the room's list)
}

// slotChunk keeps the marks apart, so that a plan over many sockets reads as
// few cache lines as it can.
type slotChunk struct {
	marks   [chunkLen]uint32
	sockets [chunkLen]socket
}

type socket struct {
	space uint32 // index + 1; 0: not present
	pos   uint32 // address in Shard.everybody
	rooms list   // in Shard.joined
}

type space struct {
	ns     NS
	all    list              // in Shard.everybody
	byName map[string]uint32 // room ids; nil until the first room
	peak   int               // largest len(byName) since it was made
}

const roomChunk = 256

type room struct {
	name    string
	space   uint32
	members list // in Shard.members
}

// bigMap is the number of rooms above which a namespace's map is dropped when
// its last room vanishes: Go maps never shrink.
const bigMap = 4096

// New returns an empty Shard.
func New(h Hooks) *Shard {
	return &Shard{hooks: h, byNS: make(map[NS]uint32)}
}

// socket returns the present socket at slot, or nil.
func (s *Shard) socket(slot Slot) *socket {
	i := slot >> chunkBits
	if uint(i) >= uint(len(s.slots)) || s.slots[i] == nil {
		return nil
	}
	k := &s.slots[i].sockets[slot&chunkMask]
	if k.space == 0 {
		return nil
	}
	return k
}

// known returns a socket that is present for sure.
func (s *Shard) known(slot Slot) *socket {
	return &s.slots[slot>>chunkBits].sockets[slot&chunkMask]
}

func (s *Shard) space(ns NS) *space {
	i, ok := s.byNS[ns]
	if !ok {
		return nil
	}
	return &s.spaces[i]
}

func (s *Shard) room(id uint32) *room {
	return &s.rooms[id/roomChunk][id%roomChunk]
}

// lookup returns the id of a room that exists.
func (sp *space) lookup(name string) (id uint32, ok bool) {
	id, ok = sp.byName[name]
	return id, ok
}

// Add makes slot a socket of namespace ns, in no room. A slot that is still
// present is removed first, so that its former owner's rooms cannot leak.
func (s *Shard) Add(slot Slot, ns NS) {
	s.Remove(slot)
	i := int(slot >> chunkBits)
	for i >= len(s.slots) {
		s.slots = append(s.slots, nil)
	}
	if s.slots[i] == nil {
		s.slots[i] = new(slotChunk)
	}
	id, ok := s.byNS[ns]
	if !ok {
		id = s.newSpace(ns)
	}
	sp := &s.spaces[id]
	*s.known(slot) = socket{space: id + 1, pos: s.everybody.push(&sp.all, slot)}
}

func (s *Shard) newSpace(ns NS) uint32 {
	var id uint32
	if k := len(s.freeSpaces); k > 0 {
		id = s.freeSpaces[k-1]
		s.freeSpaces = s.freeSpaces[:k-1]
	} else {
		id = uint32(len(s.spaces))
		s.spaces = append(s.spaces, space{})
	}
	s.spaces[id].ns = ns
	s.byNS[ns] = id
	return id
}

// Remove takes slot out of all its rooms and its namespace. Removing a slot
// that is not present does nothing.
func (s *Shard) Remove(slot Slot) {
	k := s.socket(slot)
	if k == nil {
		return
	}
	for k.rooms.len() > 0 {
		ka := s.joined.last(k.rooms)
		id, ra := unlink(*s.joined.word(ka))
		s.part(slot, k, id, ra, ka)
	}
	id := k.space - 1
	sp := &s.spaces[id]
	if last := s.everybody.last(sp.all); k.pos != last {
		moved := *s.everybody.word(last)
		*s.everybody.word(k.pos) = moved
		s.known(moved).pos = k.pos
	}
	s.everybody.pop(&sp.all)
	*k = socket{}
	if sp.all.len() == 0 {
		delete(s.byNS, sp.ns)
		s.freeSpaces = append(s.freeSpaces, id)
	}
}

// Has reports whether slot is present, and in which namespace.
func (s *Shard) Has(slot Slot) (NS, bool) {
	k := s.socket(slot)
	if k == nil {
		return 0, false
	}
	return s.spaces[k.space-1].ns, true
}

// NamespaceLen returns the number of sockets in ns.
func (s *Shard) NamespaceLen(ns NS) int {
	sp := s.space(ns)
	if sp == nil {
		return 0
	}
	return int(sp.all.len())
}

// Len returns the number of members of a room, 0 when it does not exist.
func (s *Shard) Len(ns NS, room string) int {
	if sp := s.space(ns); sp != nil {
		if id, ok := sp.lookup(room); ok {
			return int(s.room(id).members.len())
		}
	}
	return 0
}

// Rooms yields the rooms of ns and their number of members, in no order. The
// Shard may be changed meanwhile; a room made then may be left out.
func (s *Shard) Rooms(ns NS) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		sp := s.space(ns)
		if sp == nil {
			return
		}
		for name, id := range sp.byName {
			if !yield(name, int(s.room(id).members.len())) {
				return
			}
		}
	}
}

// RoomsLen returns the number of rooms of ns.
func (s *Shard) RoomsLen(ns NS) int {
	sp := s.space(ns)
	if sp == nil {
		return 0
	}
	return len(sp.byName)
}

// RoomsTotal returns the number of rooms of all namespaces.
func (s *Shard) RoomsTotal() int { return s.live }
