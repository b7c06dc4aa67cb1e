// SPDX-License-Identifier: Apache-2.0
#include "libshim/java/compiled_code.h"

#include "libshim/java/memory.h"

namespace shim {
namespace {

constexpr uint64_t kPcDescBytes = 16;  // pc offset, offset of its debug information, two more
constexpr uint64_t kMostDebugBytes = 64u << 20;

struct Range {
  uint64_t begin;
  uint64_t end;
};

uint64_t code_begin(const VmLayout& vm, uint64_t blob) {
  return vm.has_offsets ? blob + read_at<uint32_t>(blob + vm.blob_code)
                        : pointer_at(blob + vm.blob_code);
}

uint64_t handler(const VmLayout& vm, uint64_t blob, uint32_t field) {
  if (!vm.has_offsets) return pointer_at(blob + field);
  const int32_t offset = read_at<int32_t>(blob + field);
  return offset >= 0 ? blob + static_cast<uint32_t>(offset) : 0;
}

Range offsets_from(uint64_t base, uint32_t begin, uint32_t end) {
  return begin <= end ? Range{base + begin, base + end} : Range{base, base};
}

uint64_t debug_base(const VmLayout& vm, uint64_t blob) {
  return vm.has_offsets ? pointer_at(blob + vm.nmethod_immutable) : blob;
}

Range pc_descriptions(const VmLayout& vm, uint64_t blob) {
  return offsets_from(debug_base(vm, blob), read_at<uint32_t>(blob + vm.nmethod_pcs),
                      read_at<uint32_t>(blob + vm.nmethod_pcs_end));
}

// Older: up to the pc descriptions. Newer: to the end of what never changes.
Range debug_information(const VmLayout& vm, uint64_t blob) {
  const uint64_t base = debug_base(vm, blob);
  if (vm.has_offsets)
    return offsets_from(base, read_at<uint32_t>(blob + vm.nmethod_scopes),
                        read_at<uint32_t>(blob + vm.nmethod_immutable_bytes));
  return {pointer_at(blob + vm.nmethod_scopes), base + read_at<uint32_t>(blob + vm.nmethod_pcs)};
}

Range metadata(const VmLayout& vm, uint64_t blob) {
  if (vm.has_offsets)
    return offsets_from(pointer_at(blob + vm.blob_mutable),
                        read_at<uint32_t>(blob + vm.blob_relocation_bytes),
                        read_at<uint32_t>(blob + vm.blob_mutable_bytes));
  return {blob + read_at<uint32_t>(blob + vm.nmethod_metadata), pointer_at(blob + vm.nmethod_scopes)};
}

// The description of exactly this pc; they ascend.
bool find_description(const VmLayout& vm, uint64_t blob, uint64_t pc, uint32_t* decode_offset) {
  const Range all = pc_descriptions(vm, blob);
  const auto wanted = static_cast<int64_t>(pc - code_begin(vm, blob));
  uint64_t low = 0;
  uint64_t high = (all.end - all.begin) / kPcDescBytes;
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    const uint64_t entry = all.begin + middle * kPcDescBytes;
    const int64_t offset = read_at<int32_t>(entry);
    if (offset == wanted) {
      *decode_offset = read_at<uint32_t>(entry + 4);
      return true;
    }
    (offset < wanted ? low : high) = offset < wanted ? middle + 1 : middle;
  }
  return false;
}

/// Reads compressed numbers: a byte below the limit ends one, each further byte weighs 64 times more.
struct Numbers {
  uint64_t at;
  uint64_t end;
  uint32_t base;
  bool is_good;

  uint32_t next() {
    constexpr uint32_t kMostBytes = 5;
    const uint32_t limit = 256 - 64 - base;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < kMostBytes; i++) {
      if (at >= end) {
        is_good = false;
        return 0;
      }
      const uint32_t digit = read_at<uint8_t>(at++) - base;
      sum += digit << (6 * i);
      if (digit < limit) break;
    }
    return sum;
  }
};

uint64_t metadata_at(const VmLayout& vm, uint64_t blob, uint32_t index) {
  const Range all = metadata(vm, blob);
  if (index == 0 || all.begin > all.end || index > (all.end - all.begin) / 8) return 0;
  return pointer_at(all.begin + (index - 1) * 8ull);
}

}  // namespace

uint64_t method_of(const VmLayout& vm, uint64_t blob) { return pointer_at(blob + vm.nmethod_method); }

bool is_deoptimised(const VmLayout& vm, uint64_t blob, uint64_t pc, uint64_t sp, uint64_t* slot) {
  if (pc != handler(vm, blob, vm.nmethod_deopt) && pc != handler(vm, blob, vm.nmethod_deopt_mh))
    return false;
  *slot = sp + read_at<uint32_t>(blob + vm.nmethod_original_pc);
  return true;
}

uint32_t methods_at(const VmLayout& vm, uint64_t blob, uint64_t pc, MethodAt* out, uint32_t capacity,
                    bool* truncated) {
  const Range information = debug_information(vm, blob);
  uint32_t count = 0;
  uint32_t scope = 0;
  if (!find_description(vm, blob, pc, &scope)) scope = 0;
  const bool is_sane =
      information.begin <= information.end && information.end - information.begin <= kMostDebugBytes;
  // A scope's caller stands before it: the offsets fall.
  while (scope != 0 && is_sane) {
    Numbers numbers{information.begin + scope, information.end, vm.unsigned5_base, true};
    const uint32_t caller = numbers.next();
    const uint64_t method = metadata_at(vm, blob, numbers.next());
    const auto bci = static_cast<int32_t>(numbers.next()) - 1;  // -1 is the method's entry
    if (!numbers.is_good || method == 0) break;
    if (count == capacity) {
      *truncated = true;
      return count;
    }
    out[count++] = {method, bci};
    scope = caller < scope ? caller : 0;
  }
  if (count == 0 && capacity != 0) out[count++] = {method_of(vm, blob), kNoBci};
  return count;
}

}  // namespace shim
