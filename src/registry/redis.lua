-- ksgate's registry in Redis: every write, and the reads that must see one moment.
--
--   EVAL script 1 PREFIX OP ARGS...        PREFIX is "{ksgate}:" unless configured otherwise
--
--   put FIELD JSON WHEN REVISION LEASE_MS [UID [CREATED]]
--       FIELD is group/kind/namespace/name.  JSON begins with {"metadata":{ and has no uid,
--       creationTimestamp and resourceVersion in there: they are put in here.  WHEN is any,
--       absent, revision (only if the stored resourceVersion is REVISION) or present.
--       LEASE_MS 0: it stays; else it is gone when not put or renewed again in time.  UID and
--       CREATED are of an object that is new here; letters, digits and "-:." only.
--       The same JSON again makes no new revision.
--   put_all PUTS                           all or none: a JSON list of lists of put's arguments, all
--       of them texts, no two of the same FIELD.  Of a refusal, the third of the answer is which
--       one (1: the first); else the revision is the latest of them.
--   delete FIELD WHEN REVISION             WHEN may also be text: only if REVISION is all that stands there.
--       absent: a change is made of it although it is not there, for those who know it from before the
--       store was wiped.
--   renew FIELD LEASE_MS [REVISION]        no new revision; only if REVISION is the stored one
--   renew_all RENEWALS                     each by itself: a JSON list of FIELD, LEASE_MS, REVISION ("": any),
--       FIELD, ..., all of them texts.  Answers {epoch, now (ms), {which, RESULT, revision, ...}}: only
--       those (1: the first) that were refused, or of which REVISION was any.  The others' leases end
--       at now + LEASE_MS.
--       Each of the others answers {RESULT, revision, lease end (ms of Redis' clock, 0: none), epoch, at, stamp}.
--       RESULT is ok, conflict, exists or not_found; of ok, `at` is the last revision of all, and stamp
--       when that change was made, in us: a registry that was put back may have had others under the same
--       numbers, but not at the same moment.  (0: it is not known.)
--   there CHANGES                          a JSON list of {REVISION, stamp}, texts
--       Answers {1 or 0, ...}: was each of them made here?  It writes, so that a WAIT on the same
--       connection is about all of them.
--   expire LIMIT [LATE_MS]                 deletes what has a lease that ended
--       Answers {number deleted, revision, epoch}.  When nobody called it for more than 0.4 s (beyond the
--       time by which the caller itself was late), or 1.5 s, or ever, no gateway reached Redis, and nobody
--       could renew: that time is added to all leases, and none of an object with leaseSeconds (up to
--       3600) ends before these and 3 s more have passed since then.
--   mark                                   reads
--       Answers {epoch, revision}: where who is going to list goes on with `changes`.
--   changes SINCE LIMIT [BEFORE]           reads
--       Answers {epoch, revision, first kept revision, up to, {field, json or nil, ...}, awaited,
--       {revision, stamp, ...}, foreign, fields}: the state of each field that changed after SINCE, as far as `up to`; for
--       how many ms from now on somebody waits for all gateways; when each of these changes was made, and
--       before them the last BEFORE (1) up to SINCE; and the id of an entry at which it ends because nobody
--       can tell what has changed, or "".  It ends before an entry that is not the next one, too: those
--       between were deleted.
--       fields: how many objects has (-1: it may not be asked).
--       REVISION is the counter, or the last entry's where that is ahead of it.
--   deleted SINCE UNTIL LIMIT              reads
--       Answers {epoch, up to, {field, ...}}: which fields that changed after SINCE, until UNTIL, are not there
--       now; as far as `up to`, after LIMIT entries.  What the stream does not have (any more) is passed over.
--   beat ID REVISION EPOCH FORGET_MS [STAMP]
--       a gateway lives; REVISION: what it routes by, of that EPOCH ("": of none yet), made at STAMP
--   part ID                                it leaves
--   fleet                                  reads
--       Each answers {now (ms), id of the last of beats, {id, revision, epoch, since, last beat, ...}}:
--       who lives, but for those who have been silent for FORGET_MS.
--   await MS                               somebody is going to wait for all gateways: until then each
--       of them beats as soon as it routes by something new.  Answers {now}.
--
-- A Redis that is at its maxmemory refuses commands that may grow it, but for those of a script that
-- has written before.  So what makes room, or takes none (delete, expire, renew), begins with a
-- command that only takes away; a put of something new begins with one that is refused.
--
-- A key of ours that holds something of another type is left alone, and named in the error: what
-- needs it is refused before anything is written, the rest works.
--
-- The fleet is no part of what is registered: it has no revisions, and nothing is lost with it.
--
-- Keys: epoch, revision, objects (hash), changes (stream, id REVISION-0, fields op, field, at and n: what
-- objects has then),
-- leases (sorted set, score: ms), ticked (when expire last ran, since when Redis is
-- back, and for how long it was away), waited (when there last did); gateways (sorted set, score: last
-- beat in ms), awaited (until when, in ms), beats (stream: those of gateways that are waited for).

local p = KEYS[1]
local EPOCH, REVISION, OBJECTS = p .. 'epoch', p .. 'revision', p .. 'objects'
local CHANGES, LEASES, TICKED, WAITED = p .. 'changes', p .. 'leases', p .. 'ticked', p .. 'waited'
local GATEWAYS, AWAITED, BEATS = p .. 'gateways', p .. 'awaited', p .. 'beats'
local KEPT, HEAD, MOST_BYTES = 100000, '{"metadata":{', 8388608
local MOST = 9007199254740991 -- that a number of Lua counts to

-- The answer of a command that reads; its errors end the script, as words for whoever called it.
local function read(verb, key, ...)
  local r = redis.pcall(verb, key, ...)
  if type(r) == 'table' and r.err then
    if string.find(r.err, 'WRONGTYPE', 1, true) then
      r.err = 'WRONGTYPE the key ' .. key .. ' holds something that is not of ksgate: rename or delete it'
    end
    error({reply = r.err}, 0)
  end
  return r
end

-- What a write is going to touch, before it does.
local function sound()
  read('GET', EPOCH)
  read('GET', REVISION)
  read('XRANGE', CHANGES, '+', '+')
end

local function has_leases()
  return pcall(read, 'ZRANGE', LEASES, 0, 0)
end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function text(n)
  return string.format('%.0f', n)
end

-- What a change says of itself; 0: nothing.
local function number_of(entry, name)
  for i = 1, #entry[2], 2 do
    local n = entry[2][i] == name and tonumber(entry[2][i + 1])
    if n and n >= 0 and n < MOST then return math.floor(n) end
  end
  return 0
end

-- When it was made.
local function stamp_of(entry)
  return number_of(entry, 'at')
end

-- Fields of objects; -1: whoever calls may not ask.
local function fields()
  local n = redis.pcall('HLEN', OBJECTS)
  return type(n) == 'number' and n or -1
end

local function stamp_at(revision)
  local id = text(revision) .. '-0'
  local entry = read('XRANGE', CHANGES, id, id)[1]
  return entry and stamp_of(entry) or 0
end

-- The revision of the last entry; 0 and true: its id is beyond all revisions.
local function last_change()
  local last = read('XREVRANGE', CHANGES, '+', '-', 'COUNT', 1)
  local n = last[1] and tonumber(string.match(last[1][1], '^%d+')) or 0
  if n < MOST then return n, false end
  return 0, true
end

-- A counter that somebody has edited, or restored without the stream, is raised to the stream's last
-- id.  To refuse all writes until a person does the same would lose more; and readers know revisions
-- up to there, so to go on from anything lower would give a number twice.
local function mend_counter()
  local revision, last, beyond = redis.call('GET', REVISION), last_change()
  if beyond then redis.call('DEL', CHANGES) end -- as change() does, where the stream can't be gone on from
  if revision and (not string.match(revision, '^%d+$') or tonumber(revision) < last or tonumber(revision) >= MOST) then
    redis.call('SET', REVISION, text(last))
  end
end

-- The next revision, and the change written down under it.  A store without epoch or counter
-- is a new one, whatever else is left of the old; and one whose objects are gone, which no script took.
-- A deletion comes when its field is gone already: `had` says that it was there.
local function change(op, field, had)
  local n = fields()
  if n == 0 and not had then
    local last = redis.call('XREVRANGE', CHANGES, '+', '-', 'COUNT', 1)[1]
    if last and number_of(last, 'n') > 0 then redis.call('DEL', EPOCH, REVISION, CHANGES) end
  end
  if op == 'put' and n >= 0 then n = n + 1 - redis.call('HEXISTS', OBJECTS, field) end
  if redis.call('EXISTS', EPOCH, REVISION) < 2 then
    local t = redis.call('TIME')
    redis.call('SET', EPOCH, redis.sha1hex(t[1] .. '.' .. t[2] .. p .. table.concat(ARGV, ' ')))
    redis.call('SET', REVISION, text(last_change()))
  end
  mend_counter()
  local revision = text(redis.call('INCR', REVISION))
  local t = redis.call('TIME')
  local add = {'XADD', CHANGES, 'MAXLEN', '~', KEPT, revision .. '-0', 'op', op, 'field', field, 'at', text(t[1] * 1000000 + t[2])}
  if n >= 0 then
    add[#add + 1] = 'n'
    add[#add + 1] = n
  end
  local said = redis.pcall(unpack(add))
  if type(said) == 'table' and said.err then
    if not string.find(said.err, 'equal or smaller', 1, true) then error({reply = said.err}, 0) end
    -- Of the stream a higher id was deleted: it can't be gone on from.  Without it, all who follow
    -- list anew.
    redis.call('DEL', CHANGES)
    redis.call(unpack(add))
  end
  return revision
end

local function answer(result, revision, lease)
  local at = result == 'ok' and tonumber(read('GET', REVISION)) or 0
  return {result, tonumber(revision) or 0, lease or 0, redis.call('GET', EPOCH) or '', at, at > 0 and stamp_at(at) or 0}
end

-- What is stored: its JSON and metadata; nil when there is nothing, or nothing that is an object.
local function stored(field)
  local json = read('HGET', OBJECTS, field)
  if not json then return nil end
  local ok, object = pcall(cjson.decode, json)
  if not ok or type(object) ~= 'table' or type(object.metadata) ~= 'table' then return nil end
  return json, object.metadata
end

local function refusal(metadata, when, revision)
  if when == 'any' then return nil end
  if when == 'absent' then return metadata and 'exists' or nil end
  if not metadata then return 'not_found' end
  if when == 'present' then return nil end
  if when ~= 'revision' then error('ksgate: WHEN must be any, absent, revision or present') end
  return tostring(metadata.resourceVersion) ~= revision and 'conflict' or nil
end

local function check_lease(ms)
  local n = tonumber(ms)
  if not n or not (n >= 0 and n < MOST) then error('ksgate: LEASE_MS must be a number of ms, 0 or more') end
end

-- LEASE_MS was checked.
local function lease(field, ms)
  ms = tonumber(ms)
  if ms <= 0 and not has_leases() then return 0 end
  redis.call('ZREM', LEASES, field)
  if ms <= 0 then return 0 end
  local till = now_ms() + ms
  redis.call('ZADD', LEASES, text(till), field)
  return till
end

-- Stands in JSON as it is.
local function plain(s)
  return type(s) == 'string' and string.match(s, '^[%w:.-]+$')
end

-- Refuses what would break the readers, before anything is written.
local function check(field, json, lease_ms, uid, created)
  check_lease(lease_ms)
  if uid and not plain(uid) then error('ksgate: UID may have letters, digits and "-:." only') end
  if created and not plain(created) then error('ksgate: CREATED must be a time like 2026-11-23T08:43:08Z') end
  if string.find(field, '%z') then error('ksgate: FIELD must not have a NUL byte') end
  local ok, o = pcall(cjson.decode, json)
  local m = ok and type(o) == 'table' and o.metadata
  if type(m) ~= 'table' or string.sub(json, 1, #HEAD) ~= HEAD then
    error('ksgate: JSON must be an object that begins with ' .. HEAD)
  end
  if m.uid or m.creationTimestamp or m.resourceVersion then
    error('ksgate: leave metadata.uid, creationTimestamp and resourceVersion out')
  end
  if type(m.name) ~= 'string' or m.name == '' then error('ksgate: metadata.name must be a text, and not empty') end
  if m.namespace and type(m.namespace) ~= 'string' then error('ksgate: metadata.namespace must be a text') end
  local group = string.match(tostring(o.apiVersion), '^(.*)/') or ''
  local is = group .. '/' .. tostring(o.kind) .. '/' .. (m.namespace or '') .. '/' .. m.name
  if is ~= field then error('ksgate: FIELD must be ' .. is) end
end

-- 2026-11-23T08:43:08Z, from days to date as Howard Hinnant does it.
local function timestamp()
  local s = tonumber(redis.call('TIME')[1])
  local z = math.floor(s / 86400) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
    - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  s = s % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month,
    doy - math.floor((153 * mp + 2) / 5) + 1, math.floor(s / 3600), math.floor(s / 60) % 60, s % 60)
end

local function uuid(seed)
  local h = redis.sha1hex(seed .. table.concat(redis.call('TIME'), '.'))
  return string.sub(h, 1, 8) .. '-' .. string.sub(h, 9, 12) .. '-4' .. string.sub(h, 14, 16)
    .. '-a' .. string.sub(h, 18, 20) .. '-' .. string.sub(h, 21, 32)
end

local function splice(json, uid, created, revision)
  return HEAD .. '"uid":"' .. uid .. '","creationTimestamp":"' .. created
    .. '","resourceVersion":"' .. revision .. '",' .. string.sub(json, #HEAD + 1)
end

-- For how many ms from now on somebody waits for all gateways.  A key that is not as it should be is
-- no reason not to tell the changes.
local function awaited_ms()
  local good, till = pcall(read, 'GET', AWAITED)
  local left = (good and tonumber(till) or 0) - now_ms()
  return left > 0 and math.floor(math.min(left, 120000)) or 0
end

local ops = {}

function ops.put(field, json, when, revision, lease_ms, uid, created)
  check(field, json, lease_ms, uid, created)
  sound()
  if tonumber(lease_ms) > 0 then read('ZRANGE', LEASES, 0, 0) end
  local old, metadata = stored(field)
  local no = refusal(metadata, when, revision)
  if no then return answer(no, metadata and metadata.resourceVersion) end
  local m = metadata or {}
  uid = plain(m.uid) or uid or uuid(field)
  created = plain(m.creationTimestamp) or created or timestamp()
  if old and splice(json, uid, created, tostring(m.resourceVersion)) == old then
    return answer('ok', m.resourceVersion, lease(field, lease_ms))
  end
  local new = change('put', field)
  redis.call('HSET', OBJECTS, field, splice(json, uid, created, new))
  return answer('ok', new, lease(field, lease_ms))
end

function ops.put_all(list)
  local puts = cjson.decode(list)
  sound()
  for i, put in ipairs(puts) do
    check(put[1], put[2], put[5], put[6], put[7])
    if tonumber(put[5]) > 0 then read('ZRANGE', LEASES, 0, 0) end
    local _, metadata = stored(put[1])
    local no = refusal(metadata, put[3], put[4])
    if no then return answer(no, metadata and metadata.resourceVersion, i) end
  end
  local latest = 0
  for _, put in ipairs(puts) do
    latest = math.max(latest, ops.put(unpack(put))[2])
  end
  return answer('ok', latest)
end

local function delete(field)
  local had = redis.call('HDEL', OBJECTS, field) == 1
  if has_leases() then redis.call('ZREM', LEASES, field) end
  return change('delete', field, had)
end

function ops.delete(field, when, revision)
  sound()
  local _, metadata = stored(field)
  local there = redis.call('HEXISTS', OBJECTS, field) == 1
  if when == 'absent' then return there and answer('conflict', metadata and metadata.resourceVersion) or answer('ok', delete(field)) end
  if not there then return answer('not_found') end
  if when == 'text' then
    if redis.call('HGET', OBJECTS, field) ~= revision then return answer('conflict') end
    when = 'any'
  end
  local no = refusal(metadata or {}, when, revision)
  if no then return answer(no, metadata and metadata.resourceVersion) end
  return answer('ok', delete(field))
end

function ops.renew(field, lease_ms, revision)
  check_lease(lease_ms)
  local _, metadata = stored(field)
  local no = refusal(metadata, revision and 'revision' or 'present', revision)
  if no then return answer(no, metadata and metadata.resourceVersion) end
  read('ZRANGE', LEASES, 0, 0)
  return answer('ok', metadata.resourceVersion, lease(field, lease_ms))
end

-- As splice() has put it there; else as any reader would find it.
local function revision_of(json, field)
  local revision = string.match(json, '^{"metadata":{"uid":"[%w:.-]+","creationTimestamp":"[%w:.-]+","resourceVersion":"(%d+)",')
  if revision then return revision end
  local _, metadata = stored(field)
  return metadata and tostring(metadata.resourceVersion)
end

local function renewal(json, field, wanted)
  local is = json and revision_of(json, field)
  if not is then return 'not_found', 0 end
  return wanted ~= '' and is ~= wanted and 'conflict' or 'ok', tonumber(is) or 0
end

-- Of few commands, and of few words: there are thousands a second.
function ops.renew_all(list)
  local all, told, kept, gone = cjson.decode(list), {}, {}, {''} -- '': see above, of a Redis that is full
  local now = now_ms()
  local ends = setmetatable({}, {__index = function(t, ms) -- of a lease of so long; nearly all have the same
    check_lease(ms)
    t[ms] = tonumber(ms) > 0 and text(now + ms) or ''
    return t[ms]
  end})
  read('ZRANGE', LEASES, 0, 0)
  for i = 1, #all, 3 do
    local field, till, wanted = all[i], ends[all[i + 1]], all[i + 2]
    if type(field) ~= 'string' or type(wanted) ~= 'string' then error('ksgate: FIELD and REVISION must be texts') end
    -- one by one: a user of Redis who may run what is documented may not HMGET
    local result, revision = renewal(read('HGET', OBJECTS, field), field, wanted)
    if result ~= 'ok' or wanted == '' then
      for _, part in ipairs({(i + 2) / 3, result, revision}) do told[#told + 1] = part end
    end
    if result == 'ok' and till == '' then
      gone[#gone + 1] = field
    elseif result == 'ok' then
      kept[#kept + 1] = till
      kept[#kept + 1] = field
    end
  end
  redis.call('ZREM', LEASES, unpack(gone))
  if #kept > 0 then redis.call('ZADD', LEASES, unpack(kept)) end
  return {redis.call('GET', EPOCH) or '', now, told}
end

function ops.there(changes)
  local out = {}
  for i, change in ipairs(cjson.decode(changes)) do out[i] = text(stamp_at(change[1])) == change[2] and 1 or 0 end
  read('GET', WAITED)
  redis.call('DEL', WAITED)
  redis.call('SET', WAITED, text(now_ms()))
  return out
end

-- When a lease that has ended ends, after Redis was away until `back`.  Looked at when its time has come,
-- and not for all leases at once: Redis would be away for as long as that takes.  Whoever has renewed
-- since then gets no more than the 3 s.
local function fair_end(field, score, back, away)
  if score < back - away then return score end -- before that
  local json = redis.call('HGET', OBJECTS, field) or ''
  local seconds = math.min(tonumber(string.match(json, '"leaseSeconds"%s*:%s*(%d+)') or 0), 3600)
  if seconds > 0 then return back + seconds * 1000 + 3000 end
  return score < back and score + away or score -- what it had left
end

function ops.expire(limit, late_ms)
  sound()
  local leases = read('ZRANGE', LEASES, 0, 0)
  read('HEXISTS', OBJECTS, '')
  local now = now_ms()
  local ticked, back, away = string.match(read('GET', TICKED) or '', '^(%d+) ?(%d*) ?(%d*)$')
  local gap = ticked and now - ticked or 0
  back, away = math.min(tonumber(back) or 0, now), tonumber(away) or 0 -- a clock may be set
  -- Gateways call five times a second.  After less than 0.4 s they are all back in time for the third of a
  -- lease of 2 s; else 2 s after Redis, or little later.
  if not ticked or gap > 1500 or gap - (tonumber(late_ms) or 0) > 400 then
    local from = ticked and now - gap or 0 -- not known: since ever
    -- Not all that ended in the last absence were looked at yet: it is one with this one.
    if back > 0 and redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(from), 'LIMIT', 0, 1)[1] then from = back - away end
    back, away = now, now - from
  end
  if #leases == 0 then back, away = 0, 0 end
  redis.call('DEL', TICKED)
  redis.call('SET', TICKED, table.concat({text(now), text(back), text(away)}, ' '))
  mend_counter() -- also where nobody writes: until then its readers list again and again
  local due = redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(now), 'WITHSCORES', 'LIMIT', 0, limit)
  local deleted = 0
  for i = 1, #due, 2 do
    local field, till = due[i], fair_end(due[i], tonumber(due[i + 1]), back, away)
    if till > now then
      redis.call('ZADD', LEASES, text(till), field)
    elseif redis.call('HEXISTS', OBJECTS, field) == 1 then
      delete(field)
      deleted = deleted + 1
    else
      redis.call('ZREM', LEASES, field)
    end
  end
  return {deleted, tonumber(redis.call('GET', REVISION)) or 0, redis.call('GET', EPOCH) or ''}
end

-- What readers go by: the counter, or the stream's last id, to which a counter behind it is going to be raised.
local function newest()
  local counter = tonumber(string.match(read('GET', REVISION) or '', '^%d+$') or 0)
  local last = last_change()
  return counter < MOST and counter > last and counter or last
end

function ops.mark()
  return {read('GET', EPOCH) or '', newest()}
end

-- Of an entry: its revision, and the field that has changed; no field: nobody can tell.
local function change_of(entry)
  local revision, rest = string.match(entry[1], '^(%d+)-(%d+)$')
  revision = tonumber(revision)
  if revision >= MOST or rest ~= '0' then return revision, nil end
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'field' then return revision, entry[2][i + 1] end
  end
  return revision, nil
end

function ops.changes(since, limit, before)
  local epoch = read('GET', EPOCH)
  local revision = newest()
  local first = read('XRANGE', CHANGES, '-', '+', 'COUNT', 1)
  local oldest = first[1] and tonumber(string.match(first[1][1], '^%d+')) or revision + 1
  local out, seen, upto, bytes, stamps, foreign = {}, {}, tonumber(since), 0, {}, ''
  local function stamp(entry)
    stamps[#stamps + 1] = tonumber(string.match(entry[1], '^%d+'))
    stamps[#stamps + 1] = stamp_of(entry)
  end
  for _, entry in ipairs(redis.call('XREVRANGE', CHANGES, text(since) .. '-0', '-', 'COUNT', before or 1)) do stamp(entry) end
  local entries = redis.call('XRANGE', CHANGES, text(since + 1) .. '-0', '+', 'COUNT', limit)
  for _, entry in ipairs(entries) do
    local is, field = change_of(entry)
    if is >= MOST or (is == upto + 1 and not field) then
      foreign = entry[1]
      break
    end
    if is > upto + 1 then break end
    if is == upto + 1 then -- else it was added to one that is known
      if not seen[field] then
        local json = read('HGET', OBJECTS, field)
        seen[field] = true
        out[#out + 1] = field
        out[#out + 1] = json
        bytes = bytes + (json and #json or 0)
      end
      upto = is
      stamp(entry)
      if bytes > MOST_BYTES then break end
    end
  end
  return {epoch or '', revision, math.min(oldest, MOST), upto, out, awaited_ms(), stamps, foreign, fields()}
end

function ops.deleted(since, till, limit)
  local out, seen, upto = {}, {}, tonumber(till)
  local entries = read('XRANGE', CHANGES, text(since + 1) .. '-0', text(till) .. '-0', 'COUNT', limit)
  for _, entry in ipairs(entries) do
    local is, field = change_of(entry)
    if field and not seen[field] then
      seen[field] = true
      if read('HEXISTS', OBJECTS, field) == 0 then out[#out + 1] = field end
    end
    if #entries >= tonumber(limit) then upto = is end
  end
  return {read('GET', EPOCH) or '', upto, out}
end

-- Did the change that a gateway says it routes by happen here?  A registry that was put back has had
-- another one under that number, or none: then it is no claim about this one.
local function claims()
  local good, current = pcall(newest)
  local stamps = {} -- most are at the same one
  current = good and current or 0
  return function(revision, stamp)
    if tonumber(revision) > current then return false end
    if stamp == '' or stamp == '0' then return true end
    stamps[revision] = stamps[revision] or text(stamp_at(revision))
    return stamps[revision] == stamp or stamps[revision] == '0'
  end
end

-- Those who live, in the order of their last beats, as {id, revision, epoch, since, last beat, ...}.
local function members()
  local out, is_of_here = {}, claims()
  local all = read('ZRANGE', GATEWAYS, 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    local id, revision, epoch, since, stamp = string.match(all[i], '^(%S+) (%d+) (%S*) (%d+) ?(%d*)$')
    if id then
      if not is_of_here(revision, stamp) then revision, epoch = '0', '' end
      for _, part in ipairs({id, revision, epoch, since, text(all[i + 1])}) do out[#out + 1] = part end
    end
  end
  return out
end

local function last_beat()
  local last = read('XREVRANGE', BEATS, '+', '-', 'COUNT', 1)
  return last[1] and last[1][1] or '0-0'
end

local function fleet()
  return {now_ms(), last_beat(), members()}
end

-- Takes out the one, and who has been silent since before `oldest`; or beat after `latest`, by a clock that
-- was ahead of this one.  Since when the one was there.
local function sweep(id, oldest, latest)
  local since
  local all = read('ZRANGE', GATEWAYS, 0, -1, 'WITHSCORES')
  redis.call('ZREM', GATEWAYS, '') -- so that a full Redis lets the beat be written
  for i = 1, #all, 2 do
    local who, from = string.match(all[i], '^(%S+) %d+ %S* (%d+) ?%d*$')
    if who == id then since = from end
    local at = tonumber(all[i + 1])
    if who == id or not who or at < oldest or at > latest then redis.call('ZREM', GATEWAYS, all[i]) end
  end
  return since
end

function ops.beat(id, revision, epoch, forget_ms, stamp)
  if not plain(id) then error('ksgate: ID may have letters, digits and "-:." only') end
  if not string.match(tostring(revision), '^%d+$') or string.find(tostring(epoch), '%s') then error('ksgate: REVISION or EPOCH is none') end
  if not string.match(tostring(stamp or 0), '^%d+$') then error('ksgate: STAMP is none') end
  local now = now_ms()
  last_beat() -- is the key ours?
  local waited_for = awaited_ms() > 0
  local since = sweep(id, now - (tonumber(forget_ms) or 0), now + 1000)
  redis.call('ZADD', GATEWAYS, text(now), table.concat({id, revision, epoch, since or text(now), stamp or 0}, ' '))
  if waited_for then redis.call('XADD', BEATS, 'MAXLEN', '~', 100, '*', 'gateway', id, 'revision', revision) end
  return fleet()
end

function ops.part(id)
  sweep(id, 0, math.huge)
  return fleet()
end

ops.fleet = fleet

function ops.await(ms)
  read('GET', AWAITED) -- is the key ours?
  local now = now_ms()
  local till = now + (tonumber(ms) or 0)
  if till > now + awaited_ms() then
    redis.call('DEL', AWAITED)
    redis.call('SET', AWAITED, text(till))
  end
  return {now}
end

local op = ops[ARGV[1]] or error('ksgate: the operation must be put, put_all, delete, renew, renew_all, there, expire, mark, changes, beat, part, fleet or await')
local ok, answer_or_error = pcall(op, unpack(ARGV, 2))
if ok then return answer_or_error end
local why = type(answer_or_error) == 'table' and answer_or_error.reply or answer_or_error
if type(why) == 'string' and string.match(why, '^%u+ ') then return redis.error_reply(why) end
error(why, 0)
