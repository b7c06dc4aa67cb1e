// SPDX-License-Identifier: Apache-2.0
//
// A library brought to where the target can load it: a file in a directory of ours, below the target's
// own root. It is needed for as long as the loading takes; the mapping outlives the file.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "procfs/process.h"
#include "procfs/text_file.h"

namespace offheap {

class DeliveredFile {
 public:
  /// Writes `bytes` as `name` into a new directory in the target's /tmp, /dev/shm, /var/tmp or working
  /// directory: the first that is writable and from which code may be mapped.
  ///
  /// Errors: kUnreadable: no right to the target's root; none of the places will do (each with its
  ///         reason, and what to do).
  static Result<DeliveredFile> deliver(const Process& process, std::string_view name,
                                       std::string_view bytes);

  DeliveredFile(DeliveredFile&&) noexcept;
  DeliveredFile& operator=(DeliveredFile&&) = delete;
  /// Removes the file and its directory.
  ~DeliveredFile();

  /// As the target sees it.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  DeliveredFile(Descriptor parent, std::string parent_path, std::string directory_name,
                std::string file_name);

  /// A directory and the file in it below `parent`; false with errno set, and nothing left behind.
  bool create(std::string_view bytes);

  Descriptor parent_;
  Descriptor directory_;
  std::string directory_name_;
  std::string file_name_;
  std::string path_;
};

}  // namespace offheap
