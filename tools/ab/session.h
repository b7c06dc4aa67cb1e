// SPDX-License-Identifier: Apache-2.0
//
// A whole comparison: every run in its turn, each row kept in the rows file as soon as its run has
// ended, so that neither a ^C nor a crash loses what was measured.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ab/entry.h"
#include "ab/run_one.h"
#include "procfs/text_file.h"

namespace offheap::ab {

struct Session {
  std::vector<Entry> entries;  ///< resolved; the first is what the program has now
  RunRequest request;
  std::size_t runs = 5;
  std::size_t warm_up = 1;
  std::uint64_t seed = 0;
  std::vector<std::string> environment;  ///< what is inherited
  std::string shim;                      ///< the file on this machine
  std::function<EndLook(pid_t pid, bool standing)> look;
};

/// JSON lines: a header, then a row a run.
class RowsFile {
 public:
  /// Creates `path` with the header in it. Errors: kUsage: it exists, or cannot be written.
  static Result<RowsFile> create(const std::string& path, const std::string& header);

  /// Writes the row at once. Errors: kUsage when the disk is full or the like.
  Result<bool> append(const Row& row);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  RowsFile(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<bool> write_line(const std::string& text);

  std::string path_;
  Descriptor file_;
};

/// The environment of a run of `entry`, as the program itself will see it.
std::vector<std::string> environment_for(const Session& session, const Entry& entry);

/// Runs everything; stops after the current run when the user interrupts. `started` is told of each run
/// before, `done` after it.
///
/// Errors: the rows file's.
Result<std::vector<Row>> run_session(
    const Session& session, RowsFile& rows,
    const std::function<void(const Row& turn, std::size_t total)>& started,
    const std::function<void(const Row& row, std::size_t total)>& done);

}  // namespace offheap::ab
