-- The basic policy's work as a Lua filter: hash the user's id, compare with the
-- weight, stamp the request and the response, note the decision for the access
-- log, count. Written to be fast: 32-bit arithmetic that LuaJIT compiles, counts
-- gathered over 128 requests. (A wrapper of a counter does not outlive its stream,
-- and Lua has no tick, so that a quiet proxy reports late; the filter's do not.)
-- It has no salt per release, no rules, no monotone ramp for more than one variant.
local bit = require("bit")
local bxor, band, rshift, tobit = bit.bxor, bit.band, bit.rshift, bit.tobit

local SALT = "checkout/v2.3.1"
local CANARY_PPM = 50000
local FLUSH_EVERY = 128

local requests = { canary = 0, stable = 0 }
local responses = { canary = 0, stable = 0 }
local since_flush = 0

-- x * y modulo 2^32, in halves so that no product leaves a double's 53 bits.
local function mul32(x, y)
  local high = band(rshift(x, 16) * y, 0xFFFF)
  return tobit(high * 65536 + band(x, 0xFFFF) * y)
end

local function fnv1a(state, text)
  for i = 1, #text do
    state = mul32(bxor(state, string.byte(text, i)), 16777619)
  end
  return state
end

local SEED = fnv1a(tobit(2166136261), SALT)

local function bucket(id)
  local h = fnv1a(SEED, id)
  h = bxor(h, rshift(h, 16))
  h = mul32(h, 2246822507)
  h = bxor(h, rshift(h, 13))
  h = mul32(h, 3266489909)
  h = bxor(h, rshift(h, 16))
  return math.floor(h % 4294967296 * 1000000 / 4294967296)
end

local function flush(handle)
  -- Envoy before 1.40 has no stats in Lua: then nothing is counted.
  if not handle.stats then return end
  local stats = handle:stats()
  for variant, count in pairs(requests) do
    if count > 0 then stats:counter("lua_requests." .. variant):add(count) end
    requests[variant] = 0
  end
  for variant, count in pairs(responses) do
    if count > 0 then stats:counter("lua_responses." .. variant):add(count) end
    responses[variant] = 0
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local id = headers:get("x-user-id")
  local at = id and bucket(id)
  local variant = (at and at < CANARY_PPM) and "canary" or "stable"
  headers:replace("x-deployment-variant", variant)
  headers:replace("x-deployment-rollout", "checkout")
  headers:replace("x-deployment-cluster", variant == "canary" and "checkout-v2" or "checkout-v1")
  handle:streamInfo():dynamicMetadata():set("canary", "variant", variant)
  requests[variant] = requests[variant] + 1
end

function envoy_on_response(handle)
  local decided = handle:streamInfo():dynamicMetadata():get("canary")
  if not decided then return end
  local headers = handle:headers()
  if headers:get(":status") then
    responses[decided.variant] = responses[decided.variant] + 1
  end
  headers:replace("x-deployment-variant", decided.variant)
  since_flush = since_flush + 1
  if since_flush == FLUSH_EVERY then
    since_flush = 0
    flush(handle)
  end
end
