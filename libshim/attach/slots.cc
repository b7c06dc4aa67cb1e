// SPDX-License-Identifier: Apache-2.0
//
// A slot is one aligned word, so a running thread sees the one function or the other. The loader may be
// at work on an object that it has listed already; it makes the object's RELRO pages read-only when it
// is done, so an object with such pages that are still writable is left for the next look. Taking their
// protection away for an instant, when the loader is done, disturbs nobody.
#include "libshim/attach/slots.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "libshim/attach/loaded_object.h"
#include "libshim/attach/page_protection.h"
#include "libshim/raw_syscall.h"

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));

namespace shim {
namespace {

constexpr uint64_t kPageMask = ~uint64_t{4095};

enum class Readiness { kUnasked, kReady, kUnfinished, kUnknown };

class Look {
 public:
  explicit Look(const SlotWork& work) : work_(work) {
    lowest_ = UINT64_MAX;
    for (uint32_t i = 0; i < work.exchange_count; ++i) {
      auto from = reinterpret_cast<uint64_t>(work.exchanges[i].from);
      if (from < lowest_) lowest_ = from;
      if (from > highest_) highest_ = from;
    }
  }

  void note_definer(const dl_phdr_info* info) {
    LoadedObject object;
    if (is_exempt(info) || is_libc(info) || !read_object(info, &object)) return;
    if (may_define(object, "malloc")) definers_ = true;
  }

  void visit(const dl_phdr_info* info) {
    result_.adds = info->dlpi_adds;
    result_.subs = info->dlpi_subs;
    LoadedObject object;
    if (is_exempt(info) || !read_object(info, &object)) return;
    readiness_ = Readiness::kUnasked;
    for (uint64_t i = 0; i < object.calls.count; ++i) visit_slot(object, object.calls.first[i]);
    for (uint64_t i = 0; i < object.others.count; ++i) visit_slot(object, object.others.first[i]);
    if (readiness_ == Readiness::kUnfinished) ++result_.unfinished_count;
  }

  const SlotResult& result() const { return result_; }

 private:
  bool is_exempt(const dl_phdr_info* info) const {
    uint64_t base = info->dlpi_addr;
    return base == reinterpret_cast<uint64_t>(__ehdr_start) || base == getauxval(AT_BASE) ||
           base == getauxval(AT_SYSINFO_EHDR) || base == reinterpret_cast<uint64_t>(work_.spared_base);
  }

  static bool is_libc(const dl_phdr_info* info) {
    const char* slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : nullptr;
    return slash && (strncmp(slash, "/libc.so", 8) == 0 || strncmp(slash, "/libc-2.", 8) == 0);
  }

  void visit_slot(const LoadedObject& object, const Elf64_Rela& relocation) {
    uint64_t kind = ELF64_R_TYPE(relocation.r_info);
    if (kind != R_X86_64_JUMP_SLOT && kind != R_X86_64_GLOB_DAT && kind != R_X86_64_64) return;
    uint64_t address = object.base + relocation.r_offset;
    if (!is_data(object, address)) return;
    uint64_t value = __atomic_load_n(reinterpret_cast<uint64_t*>(address), __ATOMIC_RELAXED);
    const Exchange* exchange = find_bound(value);
    if (!exchange && work_.unbound_too && !definers_ && kind == R_X86_64_JUMP_SLOT &&
        holds(object, value))
      exchange = find_unbound(object, relocation);
    if (exchange) write(object, address, value, reinterpret_cast<uint64_t>(exchange->to));
  }

  const Exchange* find_bound(uint64_t value) const {
    if (value < lowest_ || value > highest_) return nullptr;
    for (uint32_t i = 0; i < work_.exchange_count; ++i)
      if (reinterpret_cast<uint64_t>(work_.exchanges[i].from) == value) return &work_.exchanges[i];
    return nullptr;
  }

  /// A call that was never made points back into its own object, at what would bind it.
  const Exchange* find_unbound(const LoadedObject& object, const Elf64_Rela& relocation) const {
    const Elf64_Sym& symbol = object.symbols[ELF64_R_SYM(relocation.r_info)];
    if (symbol.st_shndx != SHN_UNDEF) return nullptr;
    const char* name = object.names + symbol.st_name;
    for (uint32_t i = 0; i < work_.exchange_count; ++i)
      if (strcmp(work_.exchanges[i].name, name) == 0) return &work_.exchanges[i];
    return nullptr;
  }

  void write(const LoadedObject& object, uint64_t address, uint64_t from, uint64_t to) {
    if (!is_ready(object)) return;
    bool guarded = object.relro_begin <= address && address < object.relro_end;
    if (guarded && !protect(address, PROT_READ | PROT_WRITE)) {
      ++result_.refused_count;
      return;
    }
    result_.changed_count += __atomic_compare_exchange_n(reinterpret_cast<uint64_t*>(address), &from,
                                                         to, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    if (guarded) protect(address, PROT_READ);
  }

  /// Asked once an object, and only if it has a slot to change.
  bool is_ready(const LoadedObject& object) {
    if (readiness_ == Readiness::kUnasked) {
      Protection pages = object.relro_begin == object.relro_end ? Protection::kReadOnly
                                                                : protection_of(object.relro_begin);
      readiness_ = pages == Protection::kReadOnly   ? Readiness::kReady
                   : pages == Protection::kWritable ? Readiness::kUnfinished
                                                    : Readiness::kUnknown;
    }
    if (readiness_ == Readiness::kUnknown) ++result_.refused_count;
    return readiness_ == Readiness::kReady;
  }

  static bool protect(uint64_t address, int protection) {
    return raw_syscall(SYS_mprotect, static_cast<long>(address & kPageMask), 4096, protection) == 0;
  }

  const SlotWork& work_;
  SlotResult result_{};
  uint64_t lowest_ = 0;
  uint64_t highest_ = 0;
  bool definers_ = false;  ///< somebody else in here may define malloc
  Readiness readiness_ = Readiness::kUnasked;
};

/// Runs at the first object only; what it calls goes through all of them under the same lock.
int look_through(dl_phdr_info*, size_t, void* look) {
  auto note = [](dl_phdr_info* info, size_t, void* data) {
    static_cast<Look*>(data)->note_definer(info);
    return 0;
  };
  auto visit = [](dl_phdr_info* info, size_t, void* data) {
    static_cast<Look*>(data)->visit(info);
    return 0;
  };
  dl_iterate_phdr(note, look);
  dl_iterate_phdr(visit, look);
  return 1;
}

}  // namespace

SlotResult exchange_slots(const SlotWork& work) {
  Look look(work);
  dl_iterate_phdr(look_through, &look);
  return look.result();
}

void count_objects(uint64_t* adds, uint64_t* subs) {
  uint64_t counts[2] = {};
  auto read = [](dl_phdr_info* info, size_t, void* data) {
    auto* out = static_cast<uint64_t*>(data);
    out[0] = info->dlpi_adds;
    out[1] = info->dlpi_subs;
    return 1;
  };
  dl_iterate_phdr(read, counts);
  *adds = counts[0];
  *subs = counts[1];
}

}  // namespace shim
