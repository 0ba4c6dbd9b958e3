-- The indexed lookup of a user drawn at random; ROWS is how many there are.
local rows = tonumber(os.getenv("ROWS"))
function init(args) math.randomseed(os.time()) end
function request()
  return "GET /users/indexed?email=email" .. math.random(rows) .. "%40example.com HTTP/1.1\r\nHost: l\r\n\r\n"
end
function done(s, l, r)
  io.write(string.format("RES %d %d %.1f %.1f %d %d %d\n", s.requests, s.duration, l:percentile(50), l:percentile(99),
    s.errors.status, s.errors.timeout, s.errors.connect + s.errors.read + s.errors.write))
end
