package valkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	vk "github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/cluster"
)

// The directory is a hash: node id -> EXPIRES:STATE:OWNER:INCARNATION:SINCE:INFO
// with the times in milliseconds of the server's clock, so that nobody compares
// two clocks. Owner is a random word of the process.
const (
	// stateHeld: the id is taken, the node does not take part yet or any more.
	stateHeld = "held"
	stateLive = "live"
	// stateLost: others have seen the lease lapse; the incarnation is over.
	stateLost = "lost"

	// lostFor is how long the directory remembers a lost incarnation, should
	// its process come back, and those before the last one of a node.
	lostFor = time.Hour

	// pastKept bounds the incarnations before the last one.
	pastKept = 16
)

// All scripts may run when the server's memory is full: they replace what is
// there, and without them every node would lose its lease.
const flags = "#!lua flags=allow-oom\n"

// retire, for scripts, notes an incarnation that another takes the place of: who
// did not look meanwhile finds its stream by that.
var retire = fmt.Sprintf(`
local function retire(key, v)
  local state, inc, since, info = string.match(v, '^%%d+:(%%a+):%%w*:(%%d+):(%%d+):(.*)$')
  if state == 'held' then return end
  redis.call('RPUSH', key, inc .. ':' .. since .. ':' .. (string.match(info, '"head":(%%d+)') or '0'))
  redis.call('LTRIM', key, -%d, -1)
  redis.call('PEXPIRE', key, %d)
end`, pastKept, lostFor.Milliseconds())

// renewScript takes or renews a lease and returns {RESULT, now, directory}.
// ARGV: id, owner, incarnation, lease, state, since, info, tag, "claim" or "".
var renewScript = vk.NewLuaScript(flags + retire + `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local id, owner, inc, tag = ARGV[1], ARGV[2], ARGV[3], ARGV[8]
local function read(v)
  local exp, state, own, i = string.match(v, '^(%d+):(%a+):(%w*):(%d+):')
  return tonumber(exp), state, own, i
end
local old = redis.call('HGET', KEYS[1], id)
if old then
  local exp, state, own, i = read(old)
  if state == 'lost' and i == inc then return {'lost', now} end
  if own ~= owner and state ~= 'lost' and (exp > now or ARGV[9] ~= 'claim') then
    return {'taken', now, exp}
  end
  if own ~= owner and ARGV[9] ~= 'claim' then return {'taken', now, exp} end
end
if ARGV[9] == 'claim' then
  local holder = redis.call('HGET', KEYS[2], tag)
  if holder and holder ~= id then
    local v = redis.call('HGET', KEYS[1], holder)
    if v then
      local exp, state = read(v)
      if state ~= 'lost' and exp > now then return {'tag', now} end
    end
  end
end
if old and select(4, read(old)) ~= inc then retire(KEYS[3], old) end
local since = ARGV[6]
if since == '0' then since = string.format('%d', now) end
redis.call('HSET', KEYS[2], tag, id)
redis.call('HSET', KEYS[1], id, string.format('%d', now + ARGV[4]) .. ':' .. ARGV[5] .. ':' ..
  owner .. ':' .. inc .. ':' .. since .. ':' .. ARGV[7])
return {'ok', now, redis.call('HGETALL', KEYS[1])}`)

// loseScript ends an incarnation whose lease has lapsed, or that is not in the
// directory at all; returns whether it is over. ARGV: id, incarnation, how long
// to remember, "force" or "".
var loseScript = vk.NewLuaScript(flags + `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local old = redis.call('HGET', KEYS[1], ARGV[1])
local rest = '0:'
if old then
  local exp, state, i
  exp, state, i, rest = string.match(old, '^(%d+):(%a+):%w*:(%d+):(.*)$')
  if i ~= ARGV[2] then return 1 end
  if state == 'lost' then return 1 end
  if tonumber(exp) > now and ARGV[4] ~= 'force' then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1],
  string.format('%d', now + ARGV[3]) .. ':lost::' .. ARGV[2] .. ':' .. rest)
return 1`)

// leaveScript removes the own lease. ARGV: id, owner.
var leaveScript = vk.NewLuaScript(flags + retire + `
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and string.match(old, '^%d+:%a+:(%w*):') == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  retire(KEYS[2], old)
end
return 1`)

// forgetScript removes what nobody has to remember, unless it has changed.
// ARGV: id, value.
var forgetScript = vk.NewLuaScript(flags + `
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1`)

// fenceScript ends a stream. The entry is refused if the stream has ended
// already: both is well. ARGV: id, field, value, time to live.
var fenceScript = vk.NewLuaScript(flags + `
local r = redis.pcall('XADD', KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if type(r) == 'table' and r.err and not string.find(r.err, 'equal or smaller') then
  return r
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`)

// info is the rest of a lease.
type info struct {
	Tag     uint16         `json:"tag"`
	Addr    string         `json:"addr,omitempty"`
	Secret  string         `json:"secret"`
	Head    uint64         `json:"head"`
	Sockets map[string]int `json:"sockets,omitempty"`
}

// record is a line of the directory.
type record struct {
	id, state, owner, raw string
	incarnation           uint64
	expires, since        int64
	info                  info
}

func (r *record) live(now int64) bool { return r.state == stateLive && r.expires > now }

func (r *record) node() cluster.Node {
	return cluster.Node{ID: r.id, Incarnation: r.incarnation, Tag: r.info.Tag,
		Addr: r.info.Addr, Secret: r.info.Secret, Sockets: r.info.Sockets}
}

func parseRecord(id, v string) (record, error) {
	f := strings.SplitN(v, ":", 6)
	if len(f) != 6 {
		return record{}, fmt.Errorf("lease of %q is not one", id)
	}
	r := record{id: id, state: f[1], owner: f[2], raw: v}
	var err [4]error
	r.expires, err[0] = strconv.ParseInt(f[0], 10, 64)
	r.incarnation, err[1] = strconv.ParseUint(f[3], 10, 64)
	r.since, err[2] = strconv.ParseInt(f[4], 10, 64)
	if f[5] != "" {
		err[3] = json.Unmarshal([]byte(f[5]), &r.info)
	}
	if e := errors.Join(err[:]...); e != nil {
		return record{}, fmt.Errorf("lease of %q: %w", id, e)
	}
	return r, nil
}

// lease is what this node writes into the directory.
type lease struct {
	node  cluster.Node
	owner string
	state string
	since int64 // 0: now
	head  uint64
}

var (
	errLost     = errors.New("the lease had lapsed: others took this node for dead")
	errTagTaken = errors.New("the tag is taken")
)

// takenError tells when the other one's lease ends.
type takenError struct{ expires, now int64 }

func (e *takenError) Error() string { return cluster.ErrTaken.Error() }
func (e *takenError) Unwrap() error { return cluster.ErrTaken }

// directory speaks with the scripts. Any goroutine may use it.
type directory struct {
	client vk.Client
	prefix string
	lease  time.Duration
	limit  time.Duration // of one command
}

func (d *directory) nodesKey() string { return d.prefix + "{ctl}:nodes" }
func (d *directory) tagsKey() string  { return d.prefix + "{ctl}:tags" }

func (d *directory) pastKey(id string) string { return d.prefix + "{ctl}:past:" + id }

func (d *directory) exec(s *vk.Lua, keys []string, args ...string) vk.ValkeyResult {
	ctx, cancel := context.WithTimeout(context.Background(), d.limit)
	defer cancel()
	return s.Exec(ctx, d.client, keys, args)
}

// renew takes (claim) or renews a lease; it returns the directory and the
// server's time.
func (d *directory) renew(l *lease, claim bool) ([]record, int64, error) {
	inf, err := json.Marshal(info{Tag: l.node.Tag, Addr: l.node.Addr, Secret: l.node.Secret,
		Head: l.head, Sockets: l.node.Sockets})
	if err != nil {
		return nil, 0, err
	}
	mode := ""
	if claim {
		mode = "claim"
	}
	keys := []string{d.nodesKey(), d.tagsKey(), d.pastKey(l.node.ID)}
	res, err := d.exec(renewScript, keys, l.node.ID, l.owner,
		strconv.FormatUint(l.node.Incarnation, 10), strconv.FormatInt(d.lease.Milliseconds(), 10),
		l.state, strconv.FormatInt(l.since, 10), string(inf),
		strconv.Itoa(int(l.node.Tag)), mode).ToArray()
	if err != nil {
		return nil, 0, err
	}
	if len(res) < 2 {
		return nil, 0, errors.New("the lease's script returned too little")
	}
	what, err := res[0].ToString()
	now, err2 := res[1].AsInt64()
	if err = errors.Join(err, err2); err != nil {
		return nil, 0, err
	}
	switch what {
	case "lost":
		return nil, now, errLost
	case "tag":
		return nil, now, errTagTaken
	case "taken":
		expires, err := res[2].AsInt64()
		return nil, now, errors.Join(&takenError{expires, now}, err)
	}
	all, err := res[2].AsStrMap()
	if err != nil {
		return nil, 0, err
	}
	records := make([]record, 0, len(all))
	for id, v := range all {
		// What is not a lease concerns nobody.
		if r, err := parseRecord(id, v); err == nil {
			records = append(records, r)
		}
	}
	return records, now, nil
}

// lose ends an incarnation in the directory; over tells whether it has ended.
func (d *directory) lose(id string, incarnation uint64, force bool) (over bool, err error) {
	f := ""
	if force {
		f = "force"
	}
	n, err := d.exec(loseScript, []string{d.nodesKey()}, id,
		strconv.FormatUint(incarnation, 10),
		strconv.FormatInt(lostFor.Milliseconds(), 10), f).AsInt64()
	return n == 1, err
}

func (d *directory) leave(id, owner string) error {
	return d.exec(leaveScript, []string{d.nodesKey(), d.pastKey(id)}, id, owner).Error()
}

// past returns the incarnations before the last one of a node, oldest first.
func (d *directory) past(of *record) ([]record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.limit)
	defer cancel()
	lines, err := d.client.Do(ctx, d.client.B().Lrange().Key(d.pastKey(of.id)).
		Start(0).Stop(-1).Build()).AsStrSlice()
	if err != nil {
		return nil, err
	}
	list := make([]record, 0, len(lines))
	for _, line := range lines {
		r := *of
		r.state = stateLost
		// What is not one keeps nobody from meeting the node.
		if _, err := fmt.Sscanf(line, "%d:%d:%d", &r.incarnation, &r.since, &r.info.Head); err == nil {
			list = append(list, r)
		}
	}
	return list, nil
}

func (d *directory) forget(r *record) error {
	return d.exec(forgetScript, []string{d.nodesKey()}, r.id, r.raw).Error()
}

// fence ends a stream, saying why.
func (d *directory) fence(key, why string, ttl time.Duration) error {
	return d.exec(fenceScript, []string{key}, fenceID, fieldFence, why,
		strconv.FormatInt(ttl.Milliseconds(), 10)).Error()
}

// tail returns the last id of a stream that a message may have, if the stream
// exists; a fence does not count.
func (d *directory) tail(key string) (id streamID, found bool, err error) {
	return d.top(key, highestMessage)
}

// top returns the highest id of a stream up to one.
func (d *directory) top(key, upTo string) (id streamID, found bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.limit)
	defer cancel()
	res, err := d.client.Do(ctx, d.client.B().Xrevrange().Key(key).End(upTo).Start("-").
		Count(1).Build()).AsXRange()
	if err != nil || len(res) == 0 {
		return streamID{}, false, err
	}
	id, err = parseID(res[0].ID)
	return id, err == nil, err
}

// trim drops what is below an id, about.
func (d *directory) trim(key string, from streamID) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.limit)
	defer cancel()
	return d.client.Do(ctx, d.client.B().Xtrim().Key(key).Minid().Almost().
		Threshold(from.String()).Build()).Error()
}

// add appends a small entry with an id of the server's, best effort.
func (d *directory) add(key, field, value string, keep int, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.limit)
	defer cancel()
	b := d.client.B()
	for _, r := range d.client.DoMulti(ctx,
		b.Xadd().Key(key).Maxlen().Almost().Threshold(strconv.Itoa(keep)).Id("*").
			FieldValue().FieldValue(field, value).Build(),
		b.Pexpire().Key(key).Milliseconds(ttl.Milliseconds()).Build()) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}
