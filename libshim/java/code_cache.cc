// SPDX-License-Identifier: Apache-2.0
#include "libshim/java/code_cache.h"

#include <string.h>

#include "libshim/java/memory.h"

namespace shim {
namespace {

constexpr uint32_t kMostHeaps = 8;
constexpr uint32_t kMostHops = 4096;
constexpr uint8_t kFreeSegment = 0xff;

bool is_in_interpreter(const VmLayout& vm, uint64_t pc) {
  const uint64_t queue = *vm.interpreter;
  if (queue == 0) return false;
  const uint64_t begin = pointer_at(queue + vm.queue_buffer);
  return pc >= begin && pc - begin < read_at<uint32_t>(queue + vm.queue_end);
}

// Each segment says how many segments back its block begins, in hops of at most 254.
uint64_t block_in_heap(const VmLayout& vm, uint64_t heap, uint64_t pc) {
  const uint64_t memory = heap + vm.heap_memory;
  const uint64_t low = pointer_at(memory + vm.space_low);
  if (pc < low || pc >= pointer_at(memory + vm.space_high)) return 0;
  const uint32_t shift = read_at<uint32_t>(heap + vm.heap_segment_shift) & 31;
  const uint64_t map = pointer_at(heap + vm.heap_segments + vm.space_low);
  uint64_t segment = (pc - low) >> shift;
  uint8_t hop = read_at<uint8_t>(map + segment);
  if (hop == kFreeSegment) return 0;
  for (uint32_t i = 0; hop != 0 && i < kMostHops && hop <= segment; i++) {
    segment -= hop;
    hop = read_at<uint8_t>(map + segment);
  }
  const uint64_t block = low + (segment << shift);
  return hop == 0 && read_at<uint8_t>(block + vm.block_used) != 0 ? block : 0;
}

uint64_t blob_of(const VmLayout& vm, uint64_t pc) {
  const uint64_t heaps = *vm.code_heaps;
  if (heaps == 0) return 0;
  const uint64_t data = pointer_at(heaps + vm.array_data);
  const uint32_t count = read_at<uint32_t>(heaps + vm.array_length);
  for (uint32_t i = 0; i < count && i < kMostHeaps; i++) {
    const uint64_t block = block_in_heap(vm, pointer_at(data + i * 8), pc);
    if (block != 0) return block + vm.block_header_bytes;
  }
  return 0;
}

bool begins(const char* text, const char* with) { return strncmp(text, with, strlen(with)) == 0; }

CodeKind kind_of(const char* name) {
  if (name == nullptr) return CodeKind::kNone;
  if (strcmp(name, "nmethod") == 0) return CodeKind::kCompiled;
  if (strcmp(name, "native nmethod") == 0) return CodeKind::kNativeMethod;
  if (begins(name, "StubRoutines (cont")) return CodeKind::kReturnBarrier;
  return CodeKind::kStub;
}

}  // namespace

bool is_in_code_cache(const VmLayout& vm, uint64_t pc) {
  return pc >= *vm.code_low && pc < *vm.code_high;
}

Code find_code(const VmLayout& vm, uint64_t pc) {
  if (!is_in_code_cache(vm, pc)) return {CodeKind::kNone, 0, 0};
  if (is_in_interpreter(vm, pc)) return {CodeKind::kInterpreter, 0, 0};
  const uint64_t blob = blob_of(vm, pc);
  if (blob == 0) return {CodeKind::kNone, 0, 0};
  const auto* name = reinterpret_cast<const char*>(pointer_at(blob + vm.blob_name));
  return {kind_of(name), blob, read_at<uint32_t>(blob + vm.blob_frame_size) * 8};
}

}  // namespace shim
