// SPDX-License-Identifier: Apache-2.0
//
// A key goes 0 -> kBeingWritten (compare-and-swap: the slot is ours) -> address (release: the record is
// written) -> 0 (compare-and-swap after the record is copied). A thread that is stopped anywhere in
// between, by a signal or for good, withholds one slot and nothing else.
//
// A slot is found again because the two buckets of an address are fixed in each generation and because
// Header::live_generation never falls: whoever frees a block sees at least the generation that its
// allocation saw.
#include "libshim/sampling/live_samples.h"

#include <emmintrin.h>

#include "libshim/sampling/atomics.h"

namespace shim {
namespace {

using recording::kBucketSlots;
using recording::LiveSample;
using recording::LiveSamples;

constexpr uint64_t kFree = 0;
constexpr uint64_t kBeingWritten = 1;

struct Buckets {
  uint32_t first;  ///< index of slot 0 of the bucket
  uint32_t second;
};

constexpr uint32_t generation_begin(uint32_t generation) {
  uint32_t begin = 0;
  for (uint32_t i = 0; i < generation; i++) begin += recording::kGenerationSlots[i];
  return begin;
}

constexpr uint32_t kBegins[recording::kGenerationCount] = {generation_begin(0), generation_begin(1),
                                                           generation_begin(2), generation_begin(3)};

// The upper half of a product depends on all lower bits of the address, so equal low bits (allocators
// align and stride) do not meet in a bucket.
uint64_t mix(uint64_t address) { return (address >> 3) * 0x9e3779b97f4a7c15u; }

Buckets buckets_of(uint64_t mixed, uint32_t generation) {
  const uint32_t mask = recording::kGenerationSlots[generation] / kBucketSlots - 1;
  const uint32_t begin = kBegins[generation];
  const uint32_t first = static_cast<uint32_t>(mixed >> 48) & mask;
  const uint32_t second = static_cast<uint32_t>(mixed >> 30) & mask;
  return {begin + first * kBucketSlots, begin + second * kBucketSlots};
}

// Bit 2 * i is set where slot i of the bucket holds `key`. Four plain 16-byte reads of which x86-64
// makes each 8-byte half whole: whoever acts on a bit looks at the word again, atomically.
__attribute__((no_sanitize("thread"))) uint32_t slots_with(const uint64_t* bucket, uint64_t key) {
  const __m128i wanted = _mm_set1_epi64x(static_cast<int64_t>(key));
  const auto* lanes = reinterpret_cast<const __m128i*>(bucket);
  const __m128i low =
      _mm_packs_epi32(_mm_cmpeq_epi32(lanes[0], wanted), _mm_cmpeq_epi32(lanes[1], wanted));
  const __m128i high =
      _mm_packs_epi32(_mm_cmpeq_epi32(lanes[2], wanted), _mm_cmpeq_epi32(lanes[3], wanted));
  const auto halves = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
  return halves & (halves >> 1) & 0x5555;
}

uint32_t count_slots(uint32_t slots) {
  slots = (slots & 0x1111) + ((slots >> 2) & 0x1111);
  slots += slots >> 4;
  return ((slots & 0x0f0f) + (slots >> 8)) & 0x0f;
}

uint32_t first_slot(uint32_t slots) { return static_cast<uint32_t>(__builtin_ctz(slots)) / 2; }

bool insert_into(LiveSamples* table, uint32_t bucket, uint32_t free_slots, uint64_t address,
                 const LiveSample& sample) {
  for (; free_slots != 0; free_slots &= free_slots - 1) {
    const uint32_t i = bucket + first_slot(free_slots);
    uint64_t* key = &table->addresses[i];
    if (!replace_if(key, kFree, kBeingWritten)) continue;
    table->records[i] = sample;
    store_release(key, address);
    return true;
  }
  return false;
}

// The emptier bucket first: with eight slots to a bucket this fills a generation to over nine tenths
// before both buckets of some address are full.
bool insert_balanced(LiveSamples* table, uint64_t address, uint32_t generation,
                     const LiveSample& sample) {
  const Buckets at = buckets_of(mix(address), generation);
  const uint32_t first = slots_with(&table->addresses[at.first], kFree);
  const uint32_t second = slots_with(&table->addresses[at.second], kFree);
  if (count_slots(second) > count_slots(first)) {
    return insert_into(table, at.second, second, address, sample) ||
           insert_into(table, at.first, first, address, sample);
  }
  return insert_into(table, at.first, first, address, sample) ||
         insert_into(table, at.second, second, address, sample);
}

bool take_from(LiveSamples* table, uint32_t bucket, uint64_t address, LiveSample* out) {
  uint32_t slots = slots_with(&table->addresses[bucket], address);
  for (; slots != 0; slots &= slots - 1) {
    const uint32_t i = bucket + first_slot(slots);
    uint64_t* key = &table->addresses[i];
    if (load_acquire(key) != address) continue;
    const LiveSample copy = table->records[i];
    if (!replace_if(key, address, kFree)) continue;
    *out = copy;
    return true;
  }
  return false;
}

}  // namespace

bool live_insert(recording::Recording* recording, uint64_t address, const LiveSample& sample) {
  LiveSamples* table = &recording->live_samples;
  uint32_t* current = &recording->header.live_generation;
  uint32_t generation = load_relaxed(current);
  while (generation < recording::kGenerationCount) {
    if (insert_balanced(table, address, generation, sample)) return true;
    // Not a failure when it loses the race: then another thread has moved on already.
    if (generation + 1 < recording::kGenerationCount) replace_if(current, generation, generation + 1);
    generation++;
  }
  // The largest is full where this address goes; the earlier ones have emptied since.
  for (uint32_t older = recording::kGenerationCount - 1; older-- > 0;) {
    if (insert_balanced(table, address, older, sample)) return true;
  }
  add_relaxed<uint64_t>(&recording->header.losses.live_sample_full_count, 1);
  return false;
}

bool live_take(recording::Recording* recording, uint64_t address, LiveSample* out) {
  LiveSamples* table = &recording->live_samples;
  const uint64_t mixed = mix(address);
  uint32_t newest = load_relaxed(&recording->header.live_generation);
  if (newest >= recording::kGenerationCount) newest = recording::kGenerationCount - 1;
  for (uint32_t generation = newest + 1; generation-- > 0;) {
    const Buckets at = buckets_of(mixed, generation);
    if (take_from(table, at.first, address, out) || take_from(table, at.second, address, out))
      return true;
  }
  return false;
}

}  // namespace shim
