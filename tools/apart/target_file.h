// SPDX-License-Identifier: Apache-2.0
//
// Files that the target names. Whoever runs the target decides where links point and what stands at a
// path: a link out of the container, a device that acts when opened, a pipe that waits for ever. All
// files of a target are opened here.
#pragma once

#include <string>

#include "base/units.h"
#include "procfs/process.h"
#include "procfs/text_file.h"

namespace offheap {

/// Whatever stands at `path` below the directory `root`, held by O_PATH: nothing has happened to it
/// yet. Links, absolute ones too, are followed within `root` and never out of it.
///
/// Errors: an invalid descriptor with errno set.
/// Thread: any.
/// Source: openat2(2), RESOLVE_IN_ROOT. Before Linux 5.6, and where a seccomp filter does not know the
/// call, links below a root are refused.
Descriptor find_in_root(int root, const std::string& path);

/// `path` below the directory `root`, opened for reading. An empty `root` is this machine's own, where
/// every link is followed.
///
/// Errors: an invalid descriptor with errno set: EINVAL where it is no regular file, EWOULDBLOCK where
/// somebody holds a lease on it.
Descriptor open_target_file(const std::string& root, const std::string& path);

/// The same below the root that `process` has.
Descriptor open_target_file(const Process& process, const std::string& path);

/// The file that the mapping `range` of `process` maps, whatever has become of its name.
///
/// Errors: as above; EPERM or EACCES without the right to look at map_files.
/// Source: proc_pid_map_files(5).
Descriptor open_mapped_file(const Process& process, Range range);

/// The directory that `process` has as its root, by O_PATH; it is held beyond the process's end.
Descriptor root_of(const Process& process);

/// Where /proc has the directory that `root` holds: a prefix of paths, as long as it is held. Of an
/// invalid one, a path at which there is nothing.
std::string path_of(const Descriptor& root);

}  // namespace offheap
