-- wrk: POST /execute of one script by callers in turn, and a line of JSON at the end.
-- arguments: the body's file, number of callers, milliseconds each connection waits between two requests, method, path
local requests, turn, pause = {}, 0, 0

function init(args)
  local file = io.open(args[1], 'rb')
  local body = file:read('*a')
  file:close()
  pause = tonumber(args[3] or 0)
  local method, path = args[4] or 'POST', args[5] or '/execute'
  for i = 1, tonumber(args[2] or 64) do
    local headers = { ['Content-Type'] = 'application/json', ['X-User-ID'] = 'bench-' .. i }
    requests[i] = wrk.format(method, path, headers, method == 'POST' and body or nil)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function delay()
  return pause
end

function done(summary, latency)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"us":%d,"not_2xx":%d,"failed":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,"cpu_us":%d}\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max, os.clock() * 1e6))
end
