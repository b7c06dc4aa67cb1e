// SPDX-License-Identifier: Apache-2.0
// By default a program has a recording: whole, its own, under the chosen backend, without a descriptor.
// expect: present
#include <dirent.h>
#include <unistd.h>

#include "own_recording.h"

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording && recording->header.version == recording::kVersion);
  CHECK(recording->header.pid == static_cast<uint32_t>(getpid()));
  CHECK(recording->header.recording_bytes == sizeof(recording::Recording));
  CHECK(recording->header.backend_kind != recording::BackendKind::kUnset);
  CHECK(recording->header.backend_name[0]);
  int descriptors = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (dirent* entry = readdir(directory)) descriptors += entry->d_name[0] != '.';
  closedir(directory);
  CHECK(descriptors == 4);  // 0, 1, 2 and the directory
  puts("present");
}
