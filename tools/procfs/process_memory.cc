// SPDX-License-Identifier: Apache-2.0
//
// Sources: process_vm_readv(2); kernel Documentation/admin-guide/mm/pagemap.rst for PAGEMAP_SCAN and
// for the bits of a pagemap entry.
#include "procfs/process_memory.h"

#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace offheap {
namespace {

// uapi/linux/fs.h of Linux 6.7; spelled out, as the headers that we build with are older.
struct PageRegion {
  std::uint64_t begin, end, categories;
};
struct PageScan {
  std::uint64_t size, flags, begin, end, walk_end, regions, region_count, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PageScan);
constexpr std::uint64_t kPageIsPresent = 1 << 3;
constexpr std::uint64_t kPageIsZero = 1 << 5;

constexpr std::uint64_t kPagemapPresent = 1ULL << 63;
constexpr std::uint64_t kPagemapSwapped = 1ULL << 62;

void mark(std::vector<bool>& pages, Range whole, Range resident) {
  const auto first = (resident.begin - whole.begin) / kPageBytes;
  const auto last = std::min<std::uint64_t>((resident.end - whole.begin) / kPageBytes, pages.size());
  for (auto page = first; page < last; ++page) pages[page] = true;
}

Range whole_pages(Range range) {
  return {range.begin / kPageBytes * kPageBytes,
          (range.end + kPageBytes - 1) / kPageBytes * kPageBytes};
}

}  // namespace

Result<ProcessMemory> ProcessMemory::open(const Process& process) {
  Descriptor pagemap(::openat(process.directory_fd(), "pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap.valid()) return process.read_error("pagemap", errno);
  Descriptor memory(::openat(process.directory_fd(), "mem", O_RDONLY | O_CLOEXEC));
  if (!memory.valid()) return process.read_error("mem", errno);
  ProcessMemory reader(process, std::move(pagemap), std::move(memory));
  std::vector<bool> none(1);
  reader.has_pagemap_scan_ = reader.scan_pages({0, kPageBytes}, none);
  return reader;
}

std::size_t ProcessMemory::read(Address address, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const iovec local{out.data() + done, out.size() - done};
    const iovec remote{reinterpret_cast<void*>(address + done),
                       out.size() - done};  // NOLINT: not our address
    ssize_t count = ::process_vm_readv(process_->pid(), &local, 1, &remote, 1, 0);
    if (count < 0 && (errno == ENOSYS || errno == EPERM))
      count = ::pread(memory_.get(), local.iov_base, local.iov_len, static_cast<off_t>(address + done));
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  // That call goes by the number. It was this process's if it is still.
  return process_->exited() ? 0 : done;
}

bool ProcessMemory::scan_pages(Range range, std::vector<bool>& pages) const {
  std::array<PageRegion, 512> regions;
  PageScan scan{};
  scan.size = sizeof scan;
  scan.end = range.end;
  scan.regions = reinterpret_cast<std::uint64_t>(regions.data());
  scan.region_count = regions.size();
  scan.category_mask = kPageIsPresent | kPageIsZero;
  scan.category_inverted = kPageIsZero;
  scan.return_mask = kPageIsPresent;
  for (scan.begin = range.begin; scan.begin < range.end; scan.begin = scan.walk_end) {
    const int count = ::ioctl(pagemap_.get(), kPagemapScan, &scan);
    if (count < 0) return false;
    for (int i = 0; i < count; ++i) mark(pages, range, {regions[i].begin, regions[i].end});
    if (scan.walk_end <= scan.begin) break;
  }
  return true;
}

void ProcessMemory::read_pagemap(Range range, std::uint64_t bit, std::vector<bool>& pages) const {
  std::array<std::uint64_t, 8192> entries;
  for (std::size_t done = 0; done < pages.size();) {
    const auto wanted = std::min(entries.size(), pages.size() - done);
    const auto offset = (range.begin / kPageBytes + done) * sizeof(std::uint64_t);
    const ssize_t count = ::pread(pagemap_.get(), entries.data(), wanted * sizeof(std::uint64_t),
                                  static_cast<off_t>(offset));
    if (count <= 0) break;
    const auto got = static_cast<std::size_t>(count) / sizeof(std::uint64_t);
    for (std::size_t i = 0; i < got; ++i) pages[done + i] = (entries[i] & bit) != 0;
    done += got;
  }
}

std::vector<bool> ProcessMemory::resident_pages(Range range) const {
  range = whole_pages(range);
  std::vector<bool> pages(range.size() / kPageBytes);
  if (!has_pagemap_scan_ || !scan_pages(range, pages)) read_pagemap(range, kPagemapPresent, pages);
  return pages;
}

Bytes ProcessMemory::swapped_bytes(Range range) const {
  range = whole_pages(range);
  std::vector<bool> pages(range.size() / kPageBytes);
  read_pagemap(range, kPagemapSwapped, pages);
  return static_cast<Bytes>(std::count(pages.begin(), pages.end(), true)) * kPageBytes;
}

}  // namespace offheap
