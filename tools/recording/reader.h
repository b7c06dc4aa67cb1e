// SPDX-License-Identifier: Apache-2.0
//
// Reads a recording: from a byte image, a file, or a living process. The image is hostile: whoever is
// observed can write anything into it. Every index, offset and length is checked before it is used,
// and an entry that fails is dropped and counted. docs/recording.md describes the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "procfs/mapping.h"
#include "procfs/memory_reader.h"
#include "recording/snapshot.h"

namespace offheap {

/// The snapshot that a recording's bytes describe.
///
/// Shape:  `image` starts at the recording's first byte; what follows its end is ignored.
/// Units:  every byte figure of the result is in usable bytes, whatever the recording counts in.
/// Errors: kIncompatible when the magic, the version or a size does not fit, or the image is cut short;
///         a bad entry is no error: it is dropped and counted in Snapshot::rejected_count.
/// Thread: any; no shared state.
Result<Snapshot> parse_recording(std::span<const std::byte> image);

/// The recording that the shim wrote to a file of OFFHEAP_RECORD.
///
/// Errors: kUnreadable when it is missing, no regular file, a symbolic link or not permitted;
///         kIncompatible as parse_recording says.
Result<Snapshot> read_recording_file(const std::string& path);

/// The mapping of `mappings` that holds the process's recording; null when there is none.
const Mapping* find_recording(const std::vector<Mapping>& mappings);

/// Copies a living process's recording as it is. Pages that the target never touched are left zero
/// here and untouched there. The copy is repeated while threads end during it, a few times at most;
/// `consistent` (may be null) tells whether the last one was quiet.
///
/// Errors: kUnreadable when the process has no recording, or it cannot be read.
Result<std::vector<std::byte>> copy_live_recording(const MemoryReader& memory,
                                                   const std::vector<Mapping>& mappings,
                                                   bool* consistent);

/// copy_live_recording, parsed, with jemalloc's own thread counters as of now.
Result<Snapshot> read_live_recording(const MemoryReader& memory, const std::vector<Mapping>& mappings);

/// One recording of a directory.
struct RecordingListEntry {
  std::string path;
  std::uint32_t pid = 0;
  std::string command;
  std::uint64_t process_start_ticks = 0;
  std::uint64_t start_realtime_ns = 0;
  bool readable = false;  ///< false: `problem` says why, the other fields are empty
  std::string problem;
};

/// The *.offheap files of a directory, latest start first. Those that cannot be read are listed too.
///
/// Errors: kUnreadable when the directory itself cannot be read.
Result<std::vector<RecordingListEntry>> list_recordings(const std::string& directory);

}  // namespace offheap
