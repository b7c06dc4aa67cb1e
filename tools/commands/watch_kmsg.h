// SPDX-License-Identifier: Apache-2.0
//
// /dev/kmsg as it comes: records to reports, without waiting.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "oomlog/oom_log.h"
#include "procfs/text_file.h"

namespace offheap {

class KernelLogFollower {
 public:
  /// From the oldest record that is still there. Never fails: missing() says why there is nothing.
  static KernelLogFollower open();

  [[nodiscard]] int fd() const { return file_.get(); }  ///< readable: read() has something; or -1
  [[nodiscard]] const std::string& missing() const { return missing_; }

  /// Takes what is there, a bounded part at a time.
  void read();

  /// The reports that are complete, or have been quiet for a second.
  std::vector<OomReport> take_reports();

 private:
  Descriptor file_;
  std::string missing_;
  OomLog log_;
  std::vector<OomReport> ready_;
};

}  // namespace offheap
