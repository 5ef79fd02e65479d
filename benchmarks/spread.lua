-- Sends the GETs of a file in turns, each thread from another place on.
-- A line of the file: a path, a space, and an entity tag or nothing.

local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

function init(args)
   requests = {}
   for line in io.lines(args[1]) do
      local path, tag = line:match("^(%S+) (.*)$")
      local headers = { ["Host"] = "studio.example" }
      if tag ~= "" then headers["If-None-Match"] = tag end
      requests[#requests + 1] = wrk.format("GET", path, headers)
   end
   at = math.floor(#requests / 2) * number
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency)
   local e = summary.errors
   local errors = e.connect + e.read + e.write + e.status + e.timeout
   print(string.format(
      '{"requests": %d, "duration": %d, "p50": %d, "p99": %d, "errors": %d}',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors))
end
