// SPDX-License-Identifier: Apache-2.0
//
// A name is entered as a site is (sampling/site_table.cc): text, then one compare-and-swap of the word
// that says where it lies, then the hash.
#include "libshim/java/names.h"

#include <string.h>

#include "libshim/java/memory.h"
#include "libshim/sampling/atomics.h"

namespace shim {
namespace {

using recording::JavaName;
using recording::kNoJavaName;
using recording::Recording;

constexpr uint32_t kProbeLimit = 64;
constexpr uint32_t kGuesses = 1u << 13;
constexpr uint32_t kMostMethodBytes = 96;
constexpr uint32_t kNoText = 0xffffffff;

/// Index of the name + 1, by a hash of the method's address; 0 = none.
uint16_t guesses[kGuesses];

struct Part {
  const char* text;
  uint32_t length;
};

struct Name {
  Part type;
  Part method;

  uint32_t length() const { return type.length + 1 + method.length; }
};

// JavaName::begin and length as the one word they are in memory.
struct Place {
  uint32_t begin;
  uint32_t length;
};
static_assert(offsetof(JavaName, begin) == 8 && sizeof(Place) == 8);

uint64_t* place_word(JavaName* entry) {
  return reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(entry) + offsetof(JavaName, begin));
}

Part symbol_text(const VmLayout& vm, uint64_t symbol) {
  return {reinterpret_cast<const char*>(symbol + vm.symbol_body),
          read_at<uint16_t>(symbol + vm.symbol_length)};
}

// "Service$$Lambda+0x00007f2a3c001000": the number is another in every run, and may be another class's.
void cut_number(Part* type) {
  constexpr uint32_t kNumberBytes = 19;
  if (type->length <= kNumberBytes) return;
  const char* number = type->text + type->length - kNumberBytes;
  if (number[0] == '+' && number[1] == '0' && number[2] == 'x') type->length -= kNumberBytes;
}

Name read_name(const VmLayout& vm, uint64_t method) {
  const uint64_t constant = pointer_at(method + vm.method_const);
  const uint64_t pool = pointer_at(constant + vm.const_pool);
  const uint64_t name_index = read_at<uint16_t>(constant + vm.const_name);
  const uint64_t klass = pointer_at(pool + vm.pool_holder);
  Name name{symbol_text(vm, pointer_at(klass + vm.klass_name)),
            symbol_text(vm, pointer_at(pool + vm.pool_bytes + name_index * 8) & ~uint64_t{1})};
  cut_number(&name.type);
  if (name.method.length > kMostMethodBytes) name.method.length = kMostMethodBytes;
  const uint32_t room = recording::kJavaNameLength - 1 - name.method.length;
  if (name.type.length > room) {
    name.type.text += name.type.length - room;
    name.type.length = room;
  }
  return name;
}

bool is_text(const Recording* recording, Place place, const Name& name) {
  if (place.length != name.length()) return false;
  const char* text = recording->java_name_text + place.begin;
  return memcmp(text, name.type.text, name.type.length) == 0 && text[name.type.length] == '.' &&
         memcmp(text + name.type.length + 1, name.method.text, name.method.length) == 0;
}

Place place_of(Recording* recording, uint32_t id) {
  return __builtin_bit_cast(Place, load_acquire(place_word(&recording->java_names[id])));
}

void mix(uint64_t* hash, Part part) {
  for (uint32_t i = 0; i < part.length; i++)
    *hash = (*hash ^ static_cast<uint8_t>(part.text[i])) * 0x100000001b3u;
  *hash ^= *hash >> 29;
}

uint64_t hash_of(const Name& name) {
  uint64_t hash = 0xcbf29ce484222325u;
  mix(&hash, name.type);
  mix(&hash, name.method);
  return hash != 0 ? hash : 1;
}

uint32_t copy_text(Recording* recording, const Name& name) {
  uint32_t* used = &recording->header.java_name_bytes;
  uint32_t begin = load_relaxed(used);
  do {
    if (name.length() > recording::kJavaNameBytes - begin) return kNoText;
  } while (!__atomic_compare_exchange_n(used, &begin, begin + name.length(), true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
  char* text = recording->java_name_text + begin;
  memcpy(text, name.type.text, name.type.length);
  text[name.type.length] = '.';
  memcpy(text + name.type.length + 1, name.method.text, name.method.length);
  return begin;
}

enum class Probe { kFound, kOther, kFull };

Probe probe_empty(Recording* recording, JavaName* entry, const Name& name, uint64_t hash) {
  const uint32_t begin = copy_text(recording, name);
  if (begin == kNoText) return Probe::kFull;
  const Place place{begin, name.length()};
  if (!replace_if<uint64_t>(place_word(entry), 0, __builtin_bit_cast(uint64_t, place))) {
    replace_if(&recording->header.java_name_bytes, begin + name.length(), begin);
    return Probe::kOther;
  }
  store_release(&entry->hash, hash);
  add_relaxed(&recording->header.java_name_count, 1u);
  return Probe::kFound;
}

Probe probe(Recording* recording, uint32_t id, const Name& name, uint64_t hash) {
  JavaName* entry = &recording->java_names[id];
  const uint64_t seen = load_acquire(&entry->hash);
  if (seen != 0 && seen != hash) return Probe::kOther;
  if (seen == 0 && load_acquire(place_word(entry)) == 0) {
    const Probe result = probe_empty(recording, entry, name, hash);
    if (result != Probe::kOther) return result;
  }
  return is_text(recording, place_of(recording, id), name) ? Probe::kFound : Probe::kOther;
}

uint32_t find_or_enter(Recording* recording, const Name& name) {
  const uint64_t hash = hash_of(name);
  for (uint32_t i = 0; i < kProbeLimit; i++) {
    const auto id = static_cast<uint32_t>((hash + i) % kNoJavaName);
    const Probe result = probe(recording, id, name, hash);
    if (result == Probe::kFound) return id;
    if (result == Probe::kFull) break;
  }
  return kNoJavaName;
}

}  // namespace

uint32_t name_of_method(Recording* recording, const VmLayout& vm, uint64_t method) {
  const Name name = read_name(vm, method);
  uint16_t* guess = &guesses[(method * 0x9e3779b97f4a7c15u) >> 51];
  const uint32_t guessed = load_relaxed(guess);
  if (guessed != 0 && is_text(recording, place_of(recording, guessed - 1), name)) return guessed - 1;
  const uint32_t id = find_or_enter(recording, name);
  if (id != kNoJavaName)
    store_relaxed(guess, static_cast<uint16_t>(id + 1));
  else
    add_relaxed<uint64_t>(&recording->header.losses.java_name_full_count, 1);
  return id;
}

}  // namespace shim
