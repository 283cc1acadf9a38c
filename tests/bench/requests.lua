-- What wrk asks for, by the first argument behind the URL. Without one: the URL again and again, which costs wrk least.
--   walk PREFIX COUNT                    each key once, then wrk ends
--   unique PREFIX                        a key that nobody asked for before
--   sequence PREFIX FILE                 the keys whose numbers are in FILE, one a line
--   mixed PREFIX COUNT UNIQUE EVERY      one of COUNT keys, and each EVERYth time a unique one
--   paced PREFIX COUNT MS SEED           one of COUNT keys, after a pause of MS on average; all that is drawn follows from SEED. How
--                                        often each latency was found is told too, so that windows can be put together
local count = 0
local tail

local function get(path)
  return "GET " .. path .. tail
end

local modes = {}

-- wrk itself only knows durations. Some requests more than there are keys, so that those under way at the end are repeats.
function modes.walk(prefix, keys)
  keys = tonumber(keys)
  return function()
    if count >= keys + 1000 then os.exit(0) end
    count = count + 1
    return get(prefix .. (count - 1) % keys)
  end
end

function modes.unique(prefix)
  return function()
    count = count + 1
    return get(prefix .. count)
  end
end

function modes.sequence(prefix, file)
  local paths = {}
  for number in io.lines(file) do paths[#paths + 1] = prefix .. number end
  return function()
    count = count % #paths + 1
    return get(paths[count])
  end
end

function modes.mixed(prefix, keys, unique, every)
  keys, every = tonumber(keys), tonumber(every)
  return function()
    count = count + 1
    if count % every == 0 then return get(unique .. count) end
    return get(prefix .. math.random(keys) - 1)
  end
end

function modes.paced(prefix, keys, pause, seed)
  keys, pause = tonumber(keys), tonumber(pause)
  math.randomseed(tonumber(seed))
  pools = true
  function delay() return math.random(2 * pause + 1) - 1 end
  return function() return get(prefix .. math.random(keys) - 1) end
end

-- One thread alone asks, in a state of its own; what is global there can be read by `done`.
local asking

function setup(thread)
  asking = thread
end

function init(args)
  tail = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
  local mode = table.remove(args, 1)
  if mode then request = modes[mode](unpack(args)) end
end

-- How often each latency was found.
local function histogram(latency)
  local counts = {}
  for index = 1, #latency do
    counts[index] = string.format("[%d,%d]", latency(index))
  end
  return string.format(',"histogram":[%s]', table.concat(counts, ","))
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"seconds":%.6f,"errors":%d,"p50":%d,"p99":%d,"p999":%d,"max":%d%s}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max,
    asking:get("pools") and histogram(latency) or ""))
end
