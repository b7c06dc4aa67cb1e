// SPDX-License-Identifier: Apache-2.0
//
// Nodes are added at the list's end and are complete by then. dlclose takes one out and frees it,
// perhaps while it is being looked at here: so each is probed before it is read, and must know the node
// that led to it, or the walk is given up. A walk that is given up costs a stack a few frames, this
// once.
#include "libshim/unwind/module_list.h"

#include <elf.h>
#include <sys/auxv.h>

#include "libshim/sampling/atomics.h"
#include "libshim/unwind/find_object.h"
#include "libshim/unwind/stack_window.h"

namespace shim {

extern "C" r_debug loader_debug __asm__("_r_debug") __attribute__((weak));

namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kMostModules = 1024;

/// `end` is 0 until the image's own headers have been read.
struct Hint {
  uint64_t begin;
  uint64_t end;
};
Hint hints[kMostModules];
uint32_t hint_count;
/// The list's last node when it was last walked to its end: nothing was added while it has no next.
uint64_t last_node;

struct Node {
  uint64_t load_bias;
  const char* name;
  uint64_t dynamic;
  uint64_t next;
  uint64_t previous;
};

// The public part of a link_map, which may be freed at any moment.
bool read_node(uint64_t at, Node* out) {
  if (at % 8 != 0 || !is_readable(at)) return false;
  const uint64_t last_byte = at + sizeof(Node) - 1;
  if (at / kPageBytes != last_byte / kPageBytes && !is_readable(last_byte)) return false;
  __builtin_memcpy(out, reinterpret_cast<const void*>(at), sizeof(*out));
  return true;
}

// Calls `see(node, its address)` for each module; false when the list changed meanwhile.
template <typename See>
bool walk(See see) {
  uint64_t previous = 0;
  auto at = reinterpret_cast<uint64_t>(loader_debug.r_map);
  for (uint32_t i = 0; at != 0; i++) {
    Node node;
    if (i == 4 * kMostModules || !read_node(at, &node) || node.previous != previous) return false;
    see(node, at);
    previous = at;
    at = node.next;
  }
  return true;
}

// Whether the last part of the path `name` begins with `start`. The name goes with its node.
bool is_named(const char* name, const char* start) {
  const char* file = name;
  for (const char* at = name;; at++) {
    const auto address = reinterpret_cast<uint64_t>(at);
    if ((at == name || address % kPageBytes == 0) && !is_readable(address)) return false;
    if (*at == '\0') break;
    if (*at == '/') file = at + 1;
  }
  while (*start != '\0' && *file == *start) file++, start++;
  return *start == '\0';
}

// Linkers let modules begin at address 0, so the load bias is where they are; but for a main program
// that is not position-independent, whose bias is 0.
uint64_t begin_of(const Node& node) {
  return node.load_bias != 0 ? node.load_bias : getauxval(AT_PHDR) & ~(kPageBytes - 1);
}

void remember(uint64_t begin) {
  const uint32_t count = load_acquire(&hint_count);
  for (uint32_t i = 0; i < count; i++) {
    if (load_relaxed(&hints[i].begin) != begin) continue;
    store_relaxed<uint64_t>(&hints[i].end, 0);  // another may have been loaded at the same place
    return;
  }
  for (uint32_t i = 0; i < kMostModules; i++) {
    if (load_relaxed(&hints[i].begin) != 0 || !replace_if<uint64_t>(&hints[i].begin, 0, begin))
      continue;
    store_relaxed<uint64_t>(&hints[i].end, 0);
    raise_to(&hint_count, i + 1);
    return;
  }
}

bool is_list_as_it_was() {
  const uint64_t last = load_relaxed(&last_node);
  Node node;
  return last != 0 && read_node(last, &node) && node.next == 0;
}

// False when nothing can be learned from the list now.
bool renew_hints() {
  if (is_list_as_it_was()) return false;
  uint64_t last = 0;
  const bool is_whole = walk([&](const Node& node, uint64_t at) {
    remember(begin_of(node));
    last = at;
  });
  store_relaxed(&last_node, is_whole ? last : 0);
  return is_whole;
}

// The hint that begins nearest below `pc`; null if there is none.
Hint* nearest_hint(uint64_t pc) {
  Hint* nearest = nullptr;
  uint64_t nearest_begin = 0;
  const uint32_t count = load_acquire(&hint_count);
  for (uint32_t i = 0; i < count && i < kMostModules; i++) {
    const uint64_t begin = load_relaxed(&hints[i].begin);
    if (begin > pc || begin <= nearest_begin) continue;
    nearest = &hints[i];
    nearest_begin = begin;
  }
  return nearest;
}

// The page at `begin` as a loaded image; false where there is none.
bool read_image(uint64_t begin, FoundObject* out) {
  if (begin % kPageBytes != 0 || !is_readable(begin)) return false;
  Elf64_Ehdr header;
  __builtin_memcpy(&header, reinterpret_cast<const void*>(begin), sizeof(header));
  if (__builtin_memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff >= kPageBytes) return false;
  if (header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr) > kPageBytes) return false;
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(begin + header.e_phoff);
  uint64_t low = ~0ull;
  uint64_t high = 0;
  uint64_t rows = 0;
  for (uint32_t i = 0; i < header.e_phnum; i++) {
    const uint64_t at = segments[i].p_vaddr;
    if (segments[i].p_type == PT_GNU_EH_FRAME) rows = at;
    if (segments[i].p_type != PT_LOAD) continue;
    if (at < low) low = at & ~(kPageBytes - 1);
    if (at + segments[i].p_memsz > high) high = at + segments[i].p_memsz;
  }
  if (low >= high) return false;
  *out = {};
  out->map_begin = reinterpret_cast<void*>(begin);
  out->map_end = reinterpret_cast<void*>(begin - low + high);
  if (rows > low && rows < high) out->eh_frame_header = reinterpret_cast<void*>(begin - low + rows);
  return true;
}

enum class Answer { kFound, kNone, kUnknown };

Answer ask_hints(uint64_t pc, FoundObject* out) {
  Hint* hint = nearest_hint(pc);
  if (hint == nullptr) return Answer::kUnknown;
  const uint64_t begin = load_relaxed(&hint->begin);
  const uint64_t end = load_relaxed(&hint->end);
  if (end != 0 && pc >= end) return Answer::kUnknown;
  if (begin > pc || !read_image(begin, out)) {  // gone, or forgotten meanwhile
    replace_if<uint64_t>(&hint->begin, begin, 0);
    store_relaxed<uint64_t>(&last_node, 0);
    return Answer::kUnknown;
  }
  store_relaxed(&hint->end, reinterpret_cast<uint64_t>(out->map_end));
  return pc < reinterpret_cast<uint64_t>(out->map_end) ? Answer::kFound : Answer::kUnknown;
}

}  // namespace

bool find_listed_object(uint64_t pc, FoundObject* out) {
  if (!has_module_list()) return false;
  if (ask_hints(pc, out) == Answer::kFound) return true;
  return renew_hints() && ask_hints(pc, out) == Answer::kFound;
}

link_map* find_listed_map(uint64_t begin, uint64_t end) {
  link_map* found = nullptr;
  if (!has_module_list()) return nullptr;
  walk([&](const Node& node, uint64_t at) {
    if (node.dynamic >= begin && node.dynamic < end) found = reinterpret_cast<link_map*>(at);
  });
  return found;
}

link_map* find_listed_file(const char* start) {
  link_map* found = nullptr;
  const bool is_whole = has_module_list() && walk([&](const Node& node, uint64_t at) {
                          if (found == nullptr && is_named(node.name, start))
                            found = reinterpret_cast<link_map*>(at);
                        });
  return is_whole ? found : nullptr;
}

bool is_unlisted(uint64_t begin, uint64_t end) {
  bool is_seen = false;
  const bool is_whole = has_module_list() && walk([&](const Node& node, uint64_t) {
                          is_seen |= node.dynamic >= begin && node.dynamic < end;
                        });
  return is_whole && !is_seen;
}

void forget_listed_objects() {
  const uint32_t count = load_acquire(&hint_count);
  for (uint32_t i = 0; i < count && i < kMostModules; i++) store_relaxed<uint64_t>(&hints[i].begin, 0);
  store_relaxed<uint64_t>(&last_node, 0);
}

bool has_module_list() { return &loader_debug != nullptr && loader_debug.r_map != nullptr; }

}  // namespace shim
