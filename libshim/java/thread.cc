// SPDX-License-Identifier: Apache-2.0
#include "libshim/java/thread.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "libshim/java/code_cache.h"
#include "libshim/java/memory.h"
#include "libshim/raw_syscall.h"
#include "libshim/unwind/stack_window.h"

namespace shim {
namespace {

constexpr uint32_t kMostKeys = 1024;  // PTHREAD_KEYS_MAX
/// Entries 0, 2 and 4 are destructors and such, which subclasses replace.
constexpr uint64_t kFunctions[] = {1, 3, 5};

uint64_t value_of(uint32_t key) {
  return reinterpret_cast<uint64_t>(pthread_getspecific(static_cast<pthread_key_t>(key)));
}

bool is_in_image(const VmLayout& vm, uint64_t address) {
  return address >= vm.image_begin && address < vm.image_end && address % 8 == 0;
}

bool can_read_object(const VmLayout& vm, uint64_t object) {
  const uint64_t last = object + vm.thread_anchor + 64;
  return object != 0 && object % 8 == 0 && is_readable(object) && is_readable(last);
}

// A thread of the VM says which thread of the kernel it is, and where its stack lies.
bool is_this_thread(const VmLayout& vm, uint64_t object) {
  const uint64_t here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  if (!can_read_object(vm, object) || !is_in_image(vm, pointer_at(object))) return false;
  const uint64_t base = pointer_at(object + vm.thread_stack_base);
  if (here >= base || base - here > pointer_at(object + vm.thread_stack_size)) return false;
  const uint64_t os_thread = pointer_at(object + vm.thread_osthread);
  if (os_thread % 8 != 0 || !is_readable(os_thread + vm.osthread_tid)) return false;
  return read_at<int32_t>(os_thread + vm.osthread_tid) == static_cast<int32_t>(raw_syscall(SYS_gettid));
}

// It left Java code at a place of its own stack, by a return address in the code cache.
bool has_left_java(const VmLayout& vm, uint64_t object) {
  const uint64_t here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  const uint64_t anchor = object + vm.thread_anchor;
  const uint64_t sp = pointer_at(anchor + vm.anchor_sp);
  if (sp <= here || sp >= pointer_at(object + vm.thread_stack_base) || sp % 8 != 0) return false;
  const uint64_t pc = pointer_at(anchor + vm.anchor_pc);
  return is_in_code_cache(vm, pc != 0 ? pc : pointer_at(sp - 8));
}

}  // namespace

bool find_thread_key(const VmLayout& vm, ThreadKey* out) {
  for (uint32_t key = 0; key < kMostKeys; key++) {
    const uint64_t object = value_of(key);
    if (!is_this_thread(vm, object) || !has_left_java(vm, object)) continue;
    out->key = key;
    for (uint32_t i = 0; i < 3; i++)
      out->functions[i] = pointer_at(pointer_at(object) + kFunctions[i] * 8);
    return true;
  }
  return false;
}

uint64_t java_thread(const VmLayout& vm, const ThreadKey& key) {
  const uint64_t object = value_of(key.key);
  if (object == 0 || !is_in_image(vm, pointer_at(object))) return 0;
  uint32_t same = 0;
  for (uint32_t i = 0; i < 3; i++)
    same += pointer_at(pointer_at(object) + kFunctions[i] * 8) == key.functions[i];
  return same >= 2 ? object : 0;
}

}  // namespace shim
