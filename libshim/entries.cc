// SPDX-License-Identifier: Apache-2.0
#include "libshim/entries.h"

namespace shim {
namespace {

template <typename Policy>
struct Entries {
  static void* malloc(size_t size) { return counted_malloc<Policy>(size); }

  static void free(void* block, ThreadSlot* slot) { counted_free<Policy>(block, slot); }

  /// Counts what an entry other than malloc returned; its size class need not follow from `requested`.
  static void* count(void* block, size_t requested) {
    if (SHIM_UNLIKELY(!block)) return nullptr;
    return count_in<Policy>(block, requested, Policy::bytes_in(block, requested));
  }

  static void* calloc(size_t count_of, size_t size) {
    void* block = active_backend.calloc(count_of, size);
    return count(block, count_of * size);  // cannot overflow: the backend would have refused
  }

  static void* memalign(size_t alignment, size_t size) {
    return count(active_backend.memalign(alignment, size), size);
  }

  static int posix_memalign(void** out, size_t alignment, size_t size) {
    int error = active_backend.posix_memalign(out, alignment, size);
    if (error == 0) count(*out, size);
    return error;
  }

  static void* aligned_alloc(size_t alignment, size_t size) {
    return count(active_backend.aligned_alloc(alignment, size), size);
  }

  static void* valloc(size_t size) { return count(active_backend.valloc(size), size); }
  static void* pvalloc(size_t size) { return count(active_backend.pvalloc(size), size); }

  /// Profilers that keep a map of live blocks must choose between two errors here: record the free
  /// before the call, and a realloc that fails has lost a block that lives on; record both after it,
  /// and another thread may be handed the old address in between. Byte counts commute, so the shim has
  /// neither: it reads the old size before the call, and commits -old +new only on success. A sample is
  /// taken back before the call, and put back if that failed, when the block is still ours alone.
  static void* realloc(void* old, size_t size) {
    if (!old) return malloc(size);
    if (is_early(old)) return realloc_early(old, size);
    recording::LiveSample sample;
    bool sampled = tag_is_near_sample(old) && tag_may_be_sample(old) && take_back_sample(old, &sample);
    BlockFigures before = figures_of<Policy>(old);
    if (is_tagged(before.place)) tag_remove(old);
    void* block = active_backend.realloc(old, size);
    if (!block && size != 0) {  // of size 0 and null: freed, as glibc and tcmalloc do
      if (sampled) restore_sample(old, sample);
      if (is_tagged(before.place)) tag_add(old);
      return nullptr;
    }
    if (sampled) count_freed_sample(sample);
    count_out<Policy>(before);
    return count(block, size);
  }

  static size_t usable_size(void* block) {
    return is_early(block) ? early_usable(block) : active_backend.usable_size(block);
  }

 private:
  static void* realloc_early(void* old, size_t size) { return copy_early(malloc(size), old, size); }
};

/// Counts nothing; only keeps blocks of the early arena from the backend.
struct DormantEntries {
  static void free(void* block) {
    if (!is_early(block)) active_backend.free(block);
  }
  static void* realloc(void* old, size_t size) {
    if (!is_early(old)) return active_backend.realloc(old, size);
    return copy_early(active_backend.malloc(size), old, size);
  }
  static size_t usable_size(void* block) {
    return is_early(block) ? early_usable(block) : active_backend.usable_size(block);
  }
};

}  // namespace

template <typename Policy>
EntryTable table_of(void* (*malloc)(size_t), FreeFunction free) {
  using E = Entries<Policy>;
  return {malloc,
          free_slow<Policy>,
          free,
          E::calloc,
          E::realloc,
          E::memalign,
          E::posix_memalign,
          E::aligned_alloc,
          E::valloc,
          E::pvalloc,
          E::usable_size};
}

template <typename Policy>
EntryTable counting_entries() {
  return table_of<Policy>(Entries<Policy>::malloc, Entries<Policy>::free);
}
template EntryTable counting_entries<TcmallocPolicy>();
template EntryTable counting_entries<ForeignPolicy>();

template <>
EntryTable counting_entries<GlibcPolicy>() {
  return table_of<GlibcPolicy>(shim_glibc_malloc, Entries<GlibcPolicy>::free);
}

/// Where nothing is counted at a free, the backend's own is enough: it does not look at the second
/// argument.
template <>
EntryTable counting_entries<JemallocPolicy>() {
  auto* free = reinterpret_cast<FreeFunction>(reinterpret_cast<void (*)()>(active_backend.free));
  return table_of<JemallocPolicy>(Entries<JemallocPolicy>::malloc, free);
}

EntryTable dormant_entries() {
  const backends::Backend& b = active_backend;
  using E = DormantEntries;
  return {b.malloc,         E::free,         free_first, b.calloc,  E::realloc,    b.memalign,
          b.posix_memalign, b.aligned_alloc, b.valloc,   b.pvalloc, E::usable_size};
}

}  // namespace shim
