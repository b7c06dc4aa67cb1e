// SPDX-License-Identifier: Apache-2.0
#include "recording/losses.h"

#include <fmt/core.h>

namespace offheap {
namespace {

class Sentences {
 public:
  void add(std::uint64_t count, const char* what) {
    if (count != 0) sentences_.push_back(fmt::format("{} {}", count, what));
  }
  std::vector<std::string> take() { return std::move(sentences_); }

 private:
  std::vector<std::string> sentences_;
};

}  // namespace

std::vector<std::string> describe_losses(const Snapshot& snapshot) {
  const recording::Losses& losses = snapshot.losses;
  Sentences out;
  out.add(losses.live_sample_full_count,
          "samples lost, since the table of live samples is full: sites hold more than is shown");
  out.add(
      losses.site_full_count,
      "samples without a site, since the table of sites is full: stacks first seen late are missing");
  std::uint64_t shortened_count = 0;
  for (const RecordedSite& site : snapshot.sites)
    shortened_count += site.shortened ? site.sampled_count : 0;
  out.add(shortened_count,
          "samples with the innermost frames only, since the table of frames is full: sites first seen "
          "late may be several");
  out.add(losses.thread_full_count,
          "threads beyond the table of threads: counted exactly, but together");
  out.add(
      losses.direct_mapping_full_count,
      "mappings of the program lost, since their table is full: mmap sites hold more than is shown");
  out.add(losses.module_full_count,
          "modules lost, since their table is full: once unloaded, their functions have no name");
  out.add(losses.backend_range_full_count,
          "ranges of the allocator lost, since their table is full: some of it stands as unknown");
  out.add(losses.arena_full_count,
          "counts without an arena, since the table of arenas is full: exact in sum only");
  out.add(losses.java_name_full_count, "Java frames without a name, since the table of names is full");
  if (losses.reentrant_count > snapshot.self.sample_count / 100)
    out.add(losses.reentrant_count, "allocations within the sampler: counted, but never sampled");
  out.add(snapshot.rejected_count, "damaged entries of the recording were dropped");
  out.add(snapshot.consistent ? 0 : 1,
          "or more threads ended during each look at the counts: totals may lack theirs");
  return out.take();
}

}  // namespace offheap
