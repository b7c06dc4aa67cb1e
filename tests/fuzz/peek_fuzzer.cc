// SPDX-License-Identifier: Apache-2.0
//
// Bytes as memory that peek looks at, as a seccomp filter, and as the line of a waiting thread. All
// three come from a target. What is said of memory must fit into it.
#include <cstring>
#include <string_view>

#include "attach/seccomp_filter.h"
#include "attach/waiting_thread.h"
#include "fuzz.h"
#include "peek/contents.h"
#include "peek/vtables.h"

namespace {

/// The input as a target's memory, at a fixed address.
class Image : public offheap::MemoryReader {
 public:
  explicit Image(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t read(offheap::Address address, std::span<std::byte> out) const override {
    if (address < kBegin || address - kBegin >= bytes_.size()) return 0;
    const auto count = std::min<std::size_t>(out.size(), bytes_.size() - (address - kBegin));
    std::memcpy(out.data(), bytes_.data() + (address - kBegin), count);
    return count;
  }
  std::vector<bool> resident_pages(offheap::Range range) const override {
    return std::vector<bool>(range.size() / offheap::kPageBytes + 1, true);
  }
  static constexpr offheap::Address kBegin = 0x400000;

 private:
  std::span<const std::byte> bytes_;
};

void check_contents(std::span<const std::byte> bytes) {
  using Kind = offheap::PointerTarget::Kind;
  const offheap::PointerMap map(
      {{{0x400000, 0x401000}, Kind::kModule}, {{0x401000, 0x402000}, Kind::kRegion}});
  offheap::Contents contents(map, {});
  contents.add(0x401003, bytes);
  const auto& totals = contents.totals();
  fuzz::require(totals.bytes == bytes.size(), "all bytes are looked at");
  fuzz::require(totals.zero_bytes + totals.zero_page_bytes <= 2 * bytes.size(), "zeros fit");
  fuzz::require(8 * (totals.pointers_inside + totals.pointers_to_modules + totals.pointers_elsewhere) <=
                    bytes.size(),
                "pointers fit");
  fuzz::require(totals.dense_bytes + totals.zero_page_bytes <= bytes.size(), "pages are of one kind");
  for (const auto& string : contents.strings().most_frequent(10)) {
    fuzz::require(string.bytes <= bytes.size() && string.text.size() <= 80, "strings fit");
    for (const char c : string.text)
      fuzz::require((c >= ' ' && c <= '~') || c == '\t', "strings are printable");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  check_contents(bytes);
  offheap::Mapping mapping;
  mapping.range = {Image::kBegin, Image::kBegin + 0x1000};
  mapping.inode = 1;
  const auto name = class_of_vtable(Image(bytes), std::span(&mapping, 1), Image::kBegin + 16);
  fuzz::require(!name || name->size() <= size, "a name is part of the memory");
  std::vector<sock_filter> filter(size / sizeof(sock_filter));
  if (!filter.empty()) std::memcpy(filter.data(), data, filter.size() * sizeof(sock_filter));
  offheap::run_seccomp_filter(filter, seccomp_data{});
  const auto thread = offheap::parse_waiting_thread(1, {reinterpret_cast<const char*>(data), size});
  fuzz::require(!thread || thread->system_call >= 0, "a thread waits in a system call");
  return 0;
}
