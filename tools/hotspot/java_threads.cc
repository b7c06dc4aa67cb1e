// SPDX-License-Identifier: Apache-2.0
#include "hotspot/java_threads.h"

#include <algorithm>

namespace offheap {
namespace {

constexpr std::size_t kMostThreads = 200'000;
constexpr Bytes kMostStackBytes = Bytes{64} << 30;

Range stack_of(const Vm& vm, Address thread) {
  const auto base = vm.member(thread, {"JavaThread", "Thread"}, "_stack_base");
  const auto size = vm.member(thread, {"JavaThread", "Thread"}, "_stack_size");
  if (!base || !size || *size == 0 || *size > kMostStackBytes || *size > *base) return {};
  if (*base % kPageBytes != 0 || *size % kPageBytes != 0) return {};
  return {*base - *size, *base};
}

}  // namespace

std::vector<JavaThreadInfo> list_java_threads(const Vm& vm, const JavaObjects& objects) {
  std::vector<JavaThreadInfo> threads;
  const auto name = objects.field(objects.known_class("Thread"), "name");
  const auto list = vm.static_value("ThreadsSMRSupport", "_java_thread_list").value_or(0);
  const auto count = vm.member<std::uint32_t>(list, {"ThreadsList"}, "_length").value_or(0);
  const auto array = vm.member(list, {"ThreadsList"}, "_threads").value_or(0);
  for (std::size_t i = 0; i < std::min<std::size_t>(count, kMostThreads); ++i) {
    const auto thread = array == 0 ? std::nullopt : vm.at(array + i * 8);
    if (!thread) break;
    const auto os_thread = vm.member(*thread, {"JavaThread", "Thread"}, "_osthread").value_or(0);
    const auto tid = vm.member<std::uint32_t>(os_thread, {"OSThread"}, "_thread_id").value_or(0);
    if (tid == 0) continue;
    const Address object = objects.object_of_handle(vm.part(*thread, {"JavaThread"}, "_threadObj"));
    threads.push_back({tid, objects.text(objects.reference(object, name)), stack_of(vm, *thread)});
  }
  return threads;
}

}  // namespace offheap
