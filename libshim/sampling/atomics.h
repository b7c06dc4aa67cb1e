// SPDX-License-Identifier: Apache-2.0
//
// Short names for the compiler's atomic operations on plain words. std::atomic is not used because the
// recording is plain data that another process maps, and because these need no library.
#pragma once

#include <cstdint>

namespace shim {

template <typename T>
inline T load_relaxed(const T* word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/// What was written before the matching store_release is visible afterwards.
template <typename T>
inline T load_acquire(const T* word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

template <typename T>
inline void store_relaxed(T* word, T value) {
  __atomic_store(word, &value, __ATOMIC_RELAXED);
}

template <typename T>
inline void store_release(T* word, T value) {
  __atomic_store(word, &value, __ATOMIC_RELEASE);
}

/// True when `*word` was `expected` and now is `desired`. Acquire and release, since every user claims
/// a slot with it: what the last owner wrote is seen, and nothing of ours moves in front of the claim.
template <typename T>
inline bool replace_if(T* word, T expected, T desired) {
  return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE);
}

/// Counts only: orders nothing.
template <typename T>
inline void add_relaxed(T* word, T value) {
  __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

/// Raises `*word` to `value` unless it is higher already.
template <typename T>
inline void raise_to(T* word, T value) {
  T seen = load_relaxed(word);
  while (seen < value && !replace_if(word, seen, value)) seen = load_relaxed(word);
}

}  // namespace shim
