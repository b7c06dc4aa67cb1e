-- SPDX-License-Identifier: Apache-2.0
local sum, keep = 0, {}
for n = 1, 400000 do
  keep[n % 50000 + 1] = {n, tostring(n * 7919 % 1000003), {x = n}}
end
for _, entry in pairs(keep) do sum = sum + entry[1] + #entry[2] + entry[3].x end
local threads = {}
for n = 1, 2000 do threads[n] = coroutine.wrap(function() for i = 1, 50 do coroutine.yield(string.rep("o", i % 17)) end end) end
for _ = 1, 50 do for _, thread in ipairs(threads) do sum = sum + #thread() end end
print(sum, #table.concat({("offheap "):rep(200000)}), io.popen("echo through a shell"):read("a"))
