// SPDX-License-Identifier: Apache-2.0
//
// Open addressing with linear probing over Recording::sites. A site is entered in three steps: frames
// into the pool, then one compare-and-swap of the word that holds frame_begin, frame_count and flags
// (0 -> the slot is ours), then the hash (release; readers outside take only sites with a hash). A
// thread that meets a slot between the last two steps compares the frames themselves, so a stack is
// never entered twice, and a thread that is stopped there for good blocks nobody.
#include "libshim/sampling/site_table.h"

#include "libshim/sampling/atomics.h"
#include "libshim/unwind/modules.h"

namespace shim {
namespace {

using recording::kNoSite;
using recording::Recording;
using recording::Site;

// Past this many neighbours the table counts as full; at nine tenths load, longer runs are rare.
constexpr uint32_t kProbeLimit = 128;
constexpr uint32_t kNoFrames = 0xffffffff;

// Site::frame_begin, frame_count and flags as the one word they are in memory.
struct Description {
  uint32_t frame_begin;
  uint16_t frame_count;
  uint16_t flags;
};
static_assert(offsetof(Site, frame_begin) == 8 && offsetof(Site, frame_count) == 12 &&
              offsetof(Site, flags) == 14 && sizeof(Description) == 8);

// Never all zero, since 0 is an empty slot: an empty stack counts as incomplete.
uint64_t pack(Description description) { return __builtin_bit_cast(uint64_t, description); }

uint64_t* description_word(Site* site) {
  return reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(site) + offsetof(Site, frame_begin));
}

uint64_t hash_of(SiteWords stack, uint16_t flags) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ (static_cast<uint64_t>(flags) << 32) ^ stack.count;
  for (uint32_t i = 0; i < stack.count; i++) {
    hash = (hash ^ stack.words[i]) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
  }
  return hash != 0 ? hash : 1;
}

bool has_frames(const Recording* recording, Description description, SiteWords stack, uint16_t flags) {
  if (description.frame_count != stack.count || description.flags != flags) return false;
  const uint64_t* frames = &recording->frames[description.frame_begin];
  for (uint32_t i = 0; i < stack.count; i++) {
    if (frames[i] != stack.words[i]) return false;
  }
  return true;
}

uint32_t copy_frames(Recording* recording, SiteWords stack) {
  const uint32_t limit = stack.count > recording::kShortSiteWords
                             ? recording::kFrameCapacity - recording::kShortSiteReserve
                             : recording::kFrameCapacity;
  uint32_t* used = &recording->header.frame_count;
  uint32_t begin = load_relaxed(used);
  do {
    if (begin + stack.count > limit) return kNoFrames;
  } while (!__atomic_compare_exchange_n(used, &begin, begin + stack.count, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
  for (uint32_t i = 0; i < stack.count; i++) recording->frames[begin + i] = stack.words[i];
  return begin;
}

// Works only while nobody has taken frames since; otherwise these few stay unused.
void give_back_frames(Recording* recording, uint32_t begin, uint32_t count) {
  replace_if(&recording->header.frame_count, begin + count, begin);
}

void note_modules(Recording* recording, SiteWords stack) {
  const uint64_t now_ms = recording_now_ms(recording);
  for (uint32_t i = 0; i < stack.count && (stack.words[i] & recording::kJavaFrameBit) == 0; i++)
    note_module(recording, stack.words[i], now_ms);
}

enum class Probe { kFound, kInserted, kOther, kFull };

Probe probe_empty(Recording* recording, Site* site, SiteWords stack, uint16_t flags, uint64_t hash) {
  const uint32_t begin = copy_frames(recording, stack);
  if (begin == kNoFrames) return Probe::kFull;
  const Description description{begin, static_cast<uint16_t>(stack.count), flags};
  if (!replace_if<uint64_t>(description_word(site), 0, pack(description))) {
    give_back_frames(recording, begin, stack.count);
    return Probe::kOther;
  }
  store_release(&site->hash, hash);
  add_relaxed(&recording->header.site_count, 1u);
  return Probe::kInserted;
}

Probe probe(Recording* recording, Site* site, SiteWords stack, uint16_t flags, uint64_t hash) {
  const uint64_t seen = load_acquire(&site->hash);
  if (seen != 0) return seen == hash ? Probe::kFound : Probe::kOther;
  uint64_t word = load_acquire(description_word(site));
  if (word == 0) {
    const Probe result = probe_empty(recording, site, stack, flags, hash);
    if (result != Probe::kOther) return result;
    word = load_acquire(description_word(site));
  }
  const auto description = __builtin_bit_cast(Description, word);
  return has_frames(recording, description, stack, flags) ? Probe::kFound : Probe::kOther;
}

uint32_t find_or_enter(Recording* recording, SiteWords stack, uint16_t flags, bool* inserted) {
  *inserted = false;
  const uint64_t hash = hash_of(stack, flags);
  for (uint32_t i = 0; i < kProbeLimit; i++) {
    const uint32_t index = static_cast<uint32_t>(hash + i) % recording::kSiteCapacity;
    const Probe result = probe(recording, &recording->sites[index], stack, flags, hash);
    if (result == Probe::kOther) continue;
    if (result == Probe::kFull) break;
    if (result == Probe::kInserted) {
      *inserted = true;
      note_modules(recording, stack);
    }
    return index;
  }
  return kNoSite;
}

}  // namespace

uint32_t site_of(Recording* recording, const Stack& stack, uint16_t flags, bool* inserted) {
  if (stack.truncated) flags |= recording::kSiteTruncated;
  if (stack.incomplete || stack.count == 0) flags |= recording::kSiteIncomplete;
  return site_of(recording, SiteWords{stack.frames, stack.count}, flags, inserted);
}

uint32_t site_of(Recording* recording, SiteWords stack, uint16_t flags, bool* inserted) {
  uint32_t index = find_or_enter(recording, stack, flags, inserted);
  if (index == kNoSite && stack.count > recording::kShortSiteWords) {
    // What happened further out makes no difference to what is kept.
    flags &= static_cast<uint16_t>(~(recording::kSiteTruncated | recording::kSiteIncomplete));
    index = find_or_enter(recording, SiteWords{stack.words, recording::kShortSiteWords},
                          flags | recording::kSiteShortened, inserted);
  }
  if (index == kNoSite) add_relaxed<uint64_t>(&recording->header.losses.site_full_count, 1);
  return index;
}

}  // namespace shim
