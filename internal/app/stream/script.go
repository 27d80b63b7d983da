package stream

import "github.com/valkey-io/valkey-go"

// add appends a call unless the stream is full: nil then.
//
// KEYS: stream. ARGV: length, then fields and values.
var add = valkey.NewLuaScript(`
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
return redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))`)

// touch says that this server is there: the group, the stream of its answers,
// its row among the nodes. It returns 1 if the stream of answers is new, and
// then the streams of servers that are gone.
//
// KEYS: stream, reply, nodes. ARGV: group, keep, gone (seconds).
var touch = valkey.NewLuaScript(`
local ok = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if ok.err and not string.find(ok.err, 'BUSYGROUP', 1, true) then return ok end
local made = 0
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('XADD', KEYS[2], '*', 'hello', '1')
  made = 1
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1e6
redis.call('ZADD', KEYS[3], string.format('%.3f', now), KEYS[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.3f', now - tonumber(ARGV[2])))
redis.call('EXPIRE', KEYS[3], ARGV[2])
local gone = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.3f', now - tonumber(ARGV[3])))
return {made, gone}`)

// sweep adds calls again that a worker has had for too long, or gives them up;
// it removes what was handled and left there, and consumers that have not been
// heard of. It returns the length of the stream, how many are in hand, how many
// were given up ever that are kept, how many were added again, and id, stream of
// answers, event and consumer of each that was given up now.
//
// KEYS: stream, dead. ARGV: group, idle (ms), attempts, count, kept, consumers
// (ms; 0: leave them).
var sweep = valkey.NewLuaScript(`
local again, given = 0, {}
local late = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[2], '-', '+', ARGV[4])
for _, row in ipairs(late) do
  local found = redis.call('XRANGE', KEYS[1], row[1], row[1])
  if #found > 0 then
    local f, at = found[1][2], {}
    for i = 1, #f, 2 do at[f[i]] = i + 1 end
    local n = tonumber(f[at.attempt] or '1') or 1
    if n >= tonumber(ARGV[3]) then
      table.insert(f, 'consumer')
      table.insert(f, row[2])
      redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', unpack(f))
      table.insert(given, {f[at.id] or '', f[at.reply] or '', row[1], row[2]})
    else
      if not at.attempt then
        table.insert(f, 'attempt')
        table.insert(f, '')
        at.attempt = #f
      end
      f[at.attempt] = tostring(n + 1)
      redis.call('XADD', KEYS[1], '*', unpack(f))
      again = again + 1
    end
  end
  redis.call('XACK', KEYS[1], ARGV[1], row[1])
  redis.call('XDEL', KEYS[1], row[1])
end
local hand = redis.call('XPENDING', KEYS[1], ARGV[1])
local low = hand[2]
if not low then
  for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local r = {}
    for i = 1, #g, 2 do r[g[i]] = g[i + 1] end
    if r.name == ARGV[1] then low = r['last-delivered-id'] end
  end
end
if low then redis.call('XTRIM', KEYS[1], 'MINID', low) end
if tonumber(ARGV[6]) > 0 then
  for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local r = {}
    for i = 1, #c, 2 do r[c[i]] = c[i + 1] end
    if r.pending == 0 and r.idle > tonumber(ARGV[6]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], r.name)
    end
  end
end
return {redis.call('XLEN', KEYS[1]), hand[1], redis.call('XLEN', KEYS[2]), again, given}`)

// leave removes a server that expects no answers any more.
//
// KEYS: reply, nodes.
var leave = valkey.NewLuaScript(`
redis.call('ZREM', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[1])`)
