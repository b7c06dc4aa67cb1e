// SPDX-License-Identifier: Apache-2.0
// OFFHEAP_RECORD: the counts are in a file, whole, that outlives a process killed by SIGKILL.
// env: OFFHEAP_SAMPLE=64K
// expect: outlived
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "own_recording.h"

namespace {
/// The one file of `directory`.
std::string only_file(const std::string& directory) {
  std::string found;
  DIR* entries = opendir(directory.c_str());
  CHECK(entries);
  while (dirent* entry = readdir(entries))
    if (entry->d_name[0] != '.') found = directory + "/" + entry->d_name;
  closedir(entries);
  return found;
}

int64_t recorded_bytes(const recording::Header& header, const recording::ThreadSlot& slot) {
  if (!own::counts_blocks(header)) return static_cast<int64_t>(slot.jemalloc_allocated_bytes);
  return own::slot_counts(header, slot).in_bytes;
}

/// The second life of this program: counts a known amount, and dies as by an OOM kill.
void allocate_and_die() {
  for (int i = 0; i < 1000; ++i) used(malloc(10'000));
  raise(SIGKILL);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) allocate_and_die();
  char directory[] = "/tmp/offheap-record-XXXXXX";
  CHECK(mkdtemp(directory));
  pid_t child = fork();
  if (child == 0) {
    setenv("OFFHEAP_RECORD", directory, 1);
    execl("/proc/self/exe", argv[0], "child", static_cast<char*>(nullptr));
    _exit(1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  std::string path = only_file(directory);
  int fd = open(path.c_str(), O_RDONLY);
  CHECK(fd >= 0);
  void* mapped = mmap(nullptr, sizeof(recording::Recording), PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(mapped != MAP_FAILED);
  auto* recording = static_cast<const recording::Recording*>(mapped);
  CHECK(recording->header.pid == static_cast<uint32_t>(child));
  CHECK(recording->header.flags & recording::kFlagFileBacked);
  int64_t allocated_bytes = 0;
  for (const recording::ThreadSlot& slot : recording->threads)
    allocated_bytes += recorded_bytes(recording->header, slot);
  // jemalloc's own counters are copied at each sample, so an exponential draw of the mean may be
  // missing.
  int64_t lag_bytes = own::counts_blocks(recording->header) ? 0 : 20 * 64 * 1024;
  CHECK(allocated_bytes >= 10'000'000 - lag_bytes);
  unlink(path.c_str());
  rmdir(directory);
  puts("outlived");
}
