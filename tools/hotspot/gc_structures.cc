// SPDX-License-Identifier: Apache-2.0
#include "hotspot/gc_structures.h"

#include <algorithm>
#include <set>

namespace offheap {
namespace {

constexpr int kMostSteps = 3;
constexpr std::size_t kMostObjects = 20'000;
constexpr Bytes kMostObjectBytes = 2048;
constexpr Bytes kMostHeapBytes = 64 << 10;

class Inference {
 public:
  Inference(const Vm& vm, std::span<const Range> unowned) : vm_(vm), unowned_(unowned) {}

  std::vector<JavaRange> run() {
    const auto heap = vm_.static_value("Universe", "_collectedHeap").value_or(0);
    visited_.insert(heap);
    std::vector<Address> step = {heap};
    for (int i = 0; i <= kMostSteps && !step.empty(); ++i) step = follow(step, i < kMostSteps);
    take(JavaPart::kGc, "inferred from the collector's pointers");
    look_at_statics();
    take(JavaPart::kOther, "inferred from the JVM's static data");
    return std::move(found_);
  }

 private:
  /// Looks at the objects of one step and returns those of the next.
  std::vector<Address> follow(const std::vector<Address>& objects, bool go_on) {
    std::vector<Address> next;
    for (const Address object : objects) {
      for (const Address word : words_of(object, object_bytes(object))) {
        if (note_piece(word) || !go_on || !may_be_object(word)) continue;
        if (visited_.size() < kMostObjects && visited_.insert(word).second) next.push_back(word);
      }
    }
    return next;
  }

  /// The size that malloc's header states, or that of the collector's main object, which is large.
  Bytes object_bytes(Address object) const {
    const auto header = vm_.at(object - 8).value_or(0);
    const Bytes stated = header & ~std::uint64_t{7};
    const Bytes limit = visited_.size() == 1 ? kMostHeapBytes : kMostObjectBytes;
    return stated >= 32 && stated - 8 <= limit ? stated - 8 : std::min(limit, kMostObjectBytes);
  }

  std::vector<Address> words_of(Address address, Bytes bytes) const {
    std::vector<Address> words(bytes / 8);
    const auto got = vm_.memory().read(address, std::as_writable_bytes(std::span(words)));
    words.resize(got / 8);
    return words;
  }

  bool may_be_object(Address word) const {
    if (word == 0 || word % 8 != 0 || vm_.library().contains(word)) return false;
    const Mapping* mapping = vm_.memory().mapping_of(word);
    return mapping != nullptr && mapping->writable && mapping->inode == 0;
  }

  /// Whether `word` points to a page of unowned memory.
  bool note_piece(Address word) {
    if (word == 0 || word % kPageBytes != 0) return false;
    const auto after = std::upper_bound(unowned_.begin(), unowned_.end(), word,
                                        [](Address a, const Range& range) { return a < range.begin; });
    if (after == unowned_.begin() || !(after - 1)->contains(word)) return false;
    noted_.insert(static_cast<std::size_t>(after - 1 - unowned_.begin()));
    return true;
  }

  void look_at_statics() {
    const Range statics = vm_.library();
    const Address end = std::min(statics.end, statics.begin + kMostStaticBytes);
    for (Address page = statics.begin; page < end; page += kPageBytes) {
      const Mapping* mapping = vm_.memory().mapping_of(page);
      if (mapping == nullptr || !mapping->writable) continue;
      for (const Address word : words_of(page, kPageBytes)) note_piece(word);
    }
  }

  void take(JavaPart part, const std::string& label) {
    for (const std::size_t index : noted_)
      if (taken_.insert(index).second) found_.push_back({unowned_[index], part, label});
    noted_.clear();
  }

  const Vm& vm_;
  std::span<const Range> unowned_;
  std::set<Address> visited_;
  std::set<std::size_t> noted_;
  std::set<std::size_t> taken_;
  std::vector<JavaRange> found_;
};

}  // namespace

std::vector<JavaRange> infer_gc_structures(const Vm& vm, std::span<const Range> unowned) {
  return Inference(vm, unowned).run();
}

}  // namespace offheap
