// SPDX-License-Identifier: Apache-2.0
#include "hotspot/metaspace.h"

#include <algorithm>

namespace offheap {
namespace {

constexpr Bytes kListNameOffset = 8;
constexpr Bytes kListFirstNodeOffset = 16;
constexpr Bytes kListReservedWordsOffset = 40;
constexpr Bytes kListCommittedWordsOffset = 48;
constexpr Bytes kNodeBaseOffset = 8;
constexpr Bytes kNodeBytesOffset = 16;
constexpr std::size_t kMostNodes = 100'000;
constexpr Bytes kMostNodeBytes = Bytes{1} << 40;

class MetaspaceFinder {
 public:
  MetaspaceFinder(const Vm& vm, HotspotReport& report) : vm_(vm), report_(report) {}

  void run() {
    const Range statics = vm_.library();
    const Address end = std::min(statics.end, statics.begin + kMostStaticBytes);
    for (Address page = statics.begin; page < end; page += kPageBytes) {
      const Mapping* mapping = vm_.memory().mapping_of(page);
      if (mapping != nullptr && mapping->writable) look_at_page(page);
    }
  }

 private:
  void look_at_page(Address page) {
    std::array<Address, kPageBytes / 8> words;
    if (vm_.memory().read(page, std::as_writable_bytes(std::span(words))) != kPageBytes) return;
    for (const Address word : words)
      if (word != 0 && word % 8 == 0 && !vm_.library().contains(word)) look_at_context(word);
  }

  void look_at_context(Address context) {
    const Mapping* mapping = vm_.memory().mapping_of(context);
    if (mapping == nullptr || !mapping->writable || !mapping->path.empty()) {
      if (mapping == nullptr || mapping->path != "[heap]") return;
    }
    const auto name = vm_.at(context);
    if (!name || !vm_.library().contains(*name)) return;
    const auto list = vm_.at(context + 8).value_or(0);
    if (vm_.at(list + kListNameOffset) != name) return;
    const auto text = read_vm_text(vm_.memory(), *name, 31);
    if (text == "non-class-space") add(list, JavaPart::kMetaspace, report_.metaspace);
    if (text == "class-space") add(list, JavaPart::kClassSpace, report_.class_space);
  }

  void add(Address list, JavaPart part, std::optional<MetaspaceArea>& area) {
    if (area) return;
    const auto reserved = vm_.at(list + kListReservedWordsOffset);
    const auto committed = vm_.at(list + kListCommittedWordsOffset);
    if (!reserved || !committed || *committed > *reserved || *reserved > kMostNodeBytes / 8) return;
    area = MetaspaceArea{*reserved * 8, *committed * 8};
    Address node = vm_.at(list + kListFirstNodeOffset).value_or(0);
    for (std::size_t i = 0; i < kMostNodes && node != 0; ++i) {
      const auto base = vm_.at(node + kNodeBaseOffset).value_or(0);
      const auto bytes = vm_.at(node + kNodeBytesOffset).value_or(0);
      if (base % kPageBytes != 0 || bytes % kPageBytes != 0 || bytes > kMostNodeBytes || base == 0)
        return;
      if (base + bytes <= base) return;
      report_.ranges.push_back({{base, base + bytes}, part, ""});
      node = vm_.at(node).value_or(0);
    }
  }

  const Vm& vm_;
  HotspotReport& report_;
};

}  // namespace

void read_metaspace(const Vm& vm, HotspotReport& report) { MetaspaceFinder(vm, report).run(); }

}  // namespace offheap
