// SPDX-License-Identifier: Apache-2.0
//
// The options of `offheap attach`, and what it says when it is done.
#include <fmt/format.h>

#include <memory>

#include "commands/attach.h"
#include "commands/commands.h"
#include "render/page.h"
#include "render/text.h"

namespace offheap {
namespace {

std::string attach_text(const AttachReport& report, const AttachOptions& options) {
  Page page(colours_wanted(), kTextColumns);
  const double duration_ms = static_cast<double>(report.duration_ns) / 1e6;
  page.wrapped(options.detach ? "detached from " : "attached to ",
               fmt::format("{}: {}", report.pid, report.command));
  page.wrapped("  how   ", fmt::format("{} ({:.0f} ms)", report.means, duration_ms));
  if (options.detach) {
    page.wrapped("  now   ",
                 "every call goes straight to the program's own allocator again, and the recording is "
                 "gone; the library stays mapped, unused");
    return page.take();
  }
  page.wrapped("  now   ",
               "allocations are counted and sampled from here on; what was allocated before is in the "
               "ledger, but has no site");
  if (!report.note.empty() && !report.loaded_before) page.wrapped("  note  ", report.note);
  page.line(fmt::format("  next  offheap explain {} --for 30s", report.pid));
  page.line(fmt::format("  undo  offheap attach {}{} --detach", options.inject ? "--inject " : "",
                        report.pid));
  return page.take();
}

Result<int> do_attach(const AttachOptions& options) {
  const auto report = attach(options);
  if (!report) return report.error();
  print(attach_text(*report, options));
  return 0;
}

}  // namespace

void add_attach(Commands& commands) {
  const auto asked = std::make_shared<AttachOptions>();
  auto* command = commands.add("attach", "Start recording in a running JVM, without a restart",
                               kAllRights, [asked] { return do_attach(*asked); });
  command->add_option("target", asked->target, "a pid, or a container's name or id")->required();
  command->add_flag("--detach", asked->detach, "end the recording and get out of the way");
  command->add_option("--sample", asked->sample, "mean bytes between samples; adaptive when not given");
  command->add_flag("--inject", asked->inject,
                    "any process: borrow one of its threads (ptrace), which is a greater intrusion");
}

}  // namespace offheap
