// SPDX-License-Identifier: Apache-2.0
//
// The rules behind judge(), one function a family. Each appends the verdicts it is sure enough of, and
// adds to `doubts` what it could not decide, with what would.
#pragma once

#include <string>
#include <vector>

#include "verdict/verdict.h"

namespace offheap {

struct Doubt {
  std::string why;
  std::string next;           ///< the command or step that would decide it
  bool holds_memory = false;  ///< a finding's worth of memory is in doubt: nothing is healthy then
};

struct Findings {
  std::vector<Verdict> verdicts;
  std::vector<Doubt> doubts;
};

void judge_leak(const Evidence& evidence, const Trend& live, Findings& findings);
void judge_mmap_growth(const Evidence& evidence, Findings& findings);
void judge_retention(const Evidence& evidence, Findings& findings);
void judge_fragmentation(const Evidence& evidence, Findings& findings);
void doubt_stale_statistics(const Evidence& evidence, Findings& findings);
void judge_java_heap(const Evidence& evidence, Findings& findings);
void judge_java_metaspace(const Evidence& evidence, Findings& findings);
void judge_java_code_cache(const Evidence& evidence, Findings& findings);
void judge_direct_buffers(const Evidence& evidence, Findings& findings);
/// After these: a leak without sites that a JVM's own growth explains is no second cause. Loading a
/// class takes blocks of malloc too, and a direct buffer is one.
void drop_leaks_of_java(const Evidence& evidence, Findings& findings);
void judge_unobserved_allocator(const Evidence& evidence, Findings& findings);
void judge_thread_stacks(const Evidence& evidence, Findings& findings);
void judge_mapped_files(const Evidence& evidence, Findings& findings);
void judge_tmpfs(const Evidence& evidence, Findings& findings);
void judge_page_cache(const Evidence& evidence, Findings& findings);
void judge_kernel_memory(const Evidence& evidence, Findings& findings);
void judge_other_process(const Evidence& evidence, Findings& findings);
void judge_huge_pages(const Evidence& evidence, Findings& findings);
/// After all others: it looks at what their remedies would save.
void judge_limit(const Evidence& evidence, Findings& findings);

double share_of_rss(const Evidence& evidence, Bytes bytes);

/// "12 % of RSS"
std::string percent_of_rss(const Evidence& evidence, Bytes bytes);

/// "offheap explain TARGET --for 60s"
std::string look_longer(const Evidence& evidence);

}  // namespace offheap
