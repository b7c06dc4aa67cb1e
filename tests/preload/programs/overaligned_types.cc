// SPDX-License-Identifier: Apache-2.0
// Types that want more than malloc's alignment get it: alone, in arrays with and without a count, in
// containers, from a memory resource.
// backends: next glibc jemalloc tcmalloc next-jemalloc -- mimalloc 2.0 misaligns an array that has a count
// env: OFFHEAP_SAMPLE=1K
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <vector>

#include "check.h"

namespace {
template <size_t kAlignment>
struct alignas(kAlignment) Wide {
  char bytes[kAlignment + 1] = {};
  ~Wide() { bytes[0] = 1; }  // not trivial, so new[] keeps a count
};

template <typename T>
void check_aligned(const T* at) {
  CHECK(reinterpret_cast<uintptr_t>(at) % alignof(T) == 0);
}

template <size_t kAlignment>
void check_all() {
  using T = Wide<kAlignment>;
  for (size_t count = 1; count < 20; ++count) {
    T* one = new T;
    T* many = new T[opaque(count)];
    auto* silent = new (std::nothrow) T[opaque(count)];
    std::vector<T> list(count);
    auto shared = std::make_shared<T>();
    check_aligned(one);
    check_aligned(many);
    check_aligned(silent);
    check_aligned(list.data());
    check_aligned(shared.get());
    void* raw = std::pmr::new_delete_resource()->allocate(sizeof(T) * count, alignof(T));
    check_aligned(static_cast<T*>(raw));
    std::pmr::new_delete_resource()->deallocate(raw, sizeof(T) * count, alignof(T));
    delete one;
    delete[] many;
    delete[] silent;
  }
}
}  // namespace

int main() {
  check_all<32>();
  check_all<64>();
  check_all<256>();
  check_all<4096>();
  std::pmr::synchronized_pool_resource pool;
  for (int i = 0; i < 1000; ++i) pool.deallocate(pool.allocate(100, 64), 100, 64);
  Wide<64>* none = nullptr;
  delete none;
}
