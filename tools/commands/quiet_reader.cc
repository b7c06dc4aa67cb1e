// SPDX-License-Identifier: Apache-2.0
#include "commands/quiet_reader.h"

#include <algorithm>

#include "apart/target_file.h"

namespace offheap {

std::size_t QuietReader::read(Address address, std::span<std::byte> out) const {
  const Address first_page = address / kPageBytes * kPageBytes;
  const auto resident = memory_.resident_pages({first_page, address + out.size()});
  std::size_t done = 0;
  while (done < out.size()) {
    const Address at = address + done;
    const std::size_t page = (at - first_page) / kPageBytes;
    std::size_t last = page;
    while (last + 1 < resident.size() && resident[last + 1] == resident[page]) ++last;
    const auto wanted =
        std::min<std::size_t>(out.size() - done, first_page + (last + 1) * kPageBytes - at);
    const auto part = out.subspan(done, wanted);
    const std::size_t got =
        page < resident.size() && resident[page] ? memory_.read(at, part) : read_file(at, part);
    done += got;
    if (got != wanted) break;
  }
  return done;
}

std::size_t QuietReader::read_file(Address address, std::span<std::byte> out) const {
  const auto mapping = std::find_if(mappings_.begin(), mappings_.end(),
                                    [address](const Mapping& m) { return m.range.contains(address); });
  if (mapping == mappings_.end() || mapping->writable || mapping->inode == 0 || mapping->deleted)
    return 0;
  const Descriptor file = open_target_file(process_, mapping->path);
  if (!file.valid()) return 0;
  const auto offset = mapping->file_offset + (address - mapping->range.begin);
  const auto wanted = std::min<std::size_t>(out.size(), mapping->range.end - address);
  const ssize_t got = ::pread(file.get(), out.data(), wanted, static_cast<off_t>(offset));
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

}  // namespace offheap
