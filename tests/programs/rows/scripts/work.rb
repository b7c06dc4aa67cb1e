# SPDX-License-Identifier: Apache-2.0
require 'digest'; require 'zlib'; require 'json'
results = 4.times.map { |seed| Thread.new {
  words = (1..40_000).map { |n| ((n * (seed + 7)) % 9973).to_s }
  Digest::SHA256.hexdigest(Zlib::Deflate.deflate(words.sort.join(' ')))
} }.map(&:value)
fibers = 500.times.map { |n| Fiber.new { 20.times { |i| Fiber.yield "#{n}-#{i}" * 10 }; :done } }
20.times { results << Digest::SHA256.hexdigest(fibers.map(&:resume).join) }
20.times do |generation|
  read, write = IO.pipe
  pid = fork { write.print Digest::SHA256.hexdigest((1..5000).map { |n| "#{generation}.#{n}" }.join); exit! 3 }
  write.close; results << read.read; Process.wait pid; results << $?.exitstatus
end
GC.stress = true; results << JSON.generate((1..50).map { |n| { n => "x" * n } }).size; GC.stress = false
GC.compact if GC.respond_to?(:compact)
results << `echo through a shell` << $?.exitstatus
puts Digest::SHA256.hexdigest(results.inspect)
