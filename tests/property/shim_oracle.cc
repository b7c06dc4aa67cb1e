// SPDX-License-Identifier: Apache-2.0
#include "tests/property/shim_oracle.h"

#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>

#include <atomic>
#include <cstdio>

#include "libshim/unwind/unwinder.h"

namespace shim_test {
namespace {

std::atomic<uint64_t> stacks{0};
std::atomic<uint64_t> frames{0};
std::atomic<uint64_t> wrong{0};
std::atomic<uint64_t> incomplete{0};
constexpr uint32_t kMost = recording::kMaxFrames + 8;

struct Reference {
  uint64_t frames[kMost];
  uint32_t count;
};

// Its own frame, in which its cursor starts, is left out: [0] is the return address of the caller.
__attribute__((noinline)) void reference_unwind(Reference* out) {
  unw_context_t context;
  unw_cursor_t cursor;
  unw_getcontext(&context);
  unw_init_local(&cursor, &context);
  out->count = 0;
  while (out->count < kMost && unw_step(&cursor) > 0) {
    unw_word_t pc = 0;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    if (pc == 0) return;
    out->frames[out->count++] = pc;
  }
}

bool is_same(const shim::Stack& stack, const Reference& reference) {
  if (stack.truncated != (reference.count > recording::kMaxFrames)) return false;
  if (!stack.truncated && stack.count != reference.count) return false;
  // [0] is the place of either call in compare_stacks.
  for (uint32_t i = 1; i < stack.count; i++) {
    if (stack.frames[i] != reference.frames[i]) return false;
  }
  return true;
}

void print_frame(const char* whose, uint64_t pc) {
  Dl_info info{};
  dladdr(reinterpret_cast<void*>(pc), &info);
  fprintf(stderr, "  %s %lx %s\n", whose, static_cast<unsigned long>(pc),
          info.dli_sname ? info.dli_sname : "");
}

void print(const shim::Stack& stack, const Reference& reference) {
  fprintf(stderr, "shim %u frames%s%s, libunwind %u\n", stack.count,
          stack.truncated ? " truncated" : "", stack.incomplete ? " incomplete" : "", reference.count);
  for (uint32_t i = 1; i < stack.count; i++) print_frame("shim", stack.frames[i]);
  for (uint32_t i = 1; i < reference.count; i++) print_frame("libunwind", reference.frames[i]);
}

}  // namespace

__attribute__((noinline)) void compare_stacks() {
  shim::Stack stack;
  Reference reference;
  shim::unwind(&stack);
  reference_unwind(&reference);
  stacks++;
  frames += stack.count;
  incomplete += stack.incomplete;
  if (is_same(stack, reference)) return;
  if (wrong++ < 3) print(stack, reference);
}

Agreement take_agreement() {
  return {stacks.exchange(0), frames.exchange(0), wrong.exchange(0), incomplete.exchange(0)};
}

}  // namespace shim_test
