// SPDX-License-Identifier: Apache-2.0
#include "backends/tuning.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "backends/backend.h"
#include "backends/glibc.h"
#include "backends/table.h"
#include "backends/text.h"
#include "libshim/raw_syscall.h"

namespace backends {

namespace {

constexpr size_t kPathBytes = 4096;
constexpr char kV2Mount[] = "/sys/fs/cgroup";
constexpr char kV1Mount[] = "/sys/fs/cgroup/cpu";

bool read_system_file(const char* path, char* out, size_t out_bytes) {
  long fd = shim::raw_syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t used = 0;
  long got = 1;
  while (got > 0 && used + 1 < out_bytes) {
    got = shim::raw_syscall(SYS_read, fd, reinterpret_cast<long>(out + used),
                            static_cast<long>(out_bytes - 1 - used));
    if (got > 0) used += static_cast<size_t>(got);
  }
  out[used] = '\0';
  shim::raw_syscall(SYS_close, fd);
  return got >= 0;
}

/// Reads digits at `*text` and moves it behind them; -1 where there are none ("max", "-1").
int64_t parse_number(const char** text) {
  while (**text == ' ') ++*text;
  if (**text < '0' || **text > '9') return -1;
  int64_t number = 0;
  for (; **text >= '0' && **text <= '9' && number < INT64_MAX / 16; ++*text)
    number = number * 10 + (**text - '0');
  return number;
}

unsigned rounded_up(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return 0;
  int64_t cpus = (quota - 1) / period + 1;
  return cpus < INT_MAX ? static_cast<unsigned>(cpus) : 0;
}

int64_t read_number(ReadFile read_file, const char* directory, const char* file) {
  char path[kPathBytes];
  char content[64];
  Text(path, sizeof path) << directory << file;
  const char* text = content;
  return read_file(path, content, sizeof content) ? parse_number(&text) : -1;
}

unsigned quota_v1(ReadFile read_file, const char* directory) {
  return rounded_up(read_number(read_file, directory, "/cpu.cfs_quota_us"),
                    read_number(read_file, directory, "/cpu.cfs_period_us"));
}

unsigned quota_v2(ReadFile read_file, const char* directory) {
  char path[kPathBytes];
  char content[64];
  Text(path, sizeof path) << directory << "/cpu.max";
  if (!read_file(path, content, sizeof content)) return 0;
  const char* text = content;
  int64_t quota = parse_number(&text);
  return rounded_up(quota, parse_number(&text));
}

unsigned smaller(unsigned a, unsigned b) { return a == 0 || (b != 0 && b < a) ? b : a; }

/// The smallest quota from `group` up to the mount itself. Levels that are not to be seen from inside a
/// container do not exist under the mount and are passed over.
template <typename Quota>
unsigned smallest_quota(ReadFile read_file, const char* mount, const char* group, Quota quota) {
  char directory[kPathBytes];
  Text(directory, sizeof directory) << mount << group;
  unsigned smallest = 0;
  size_t end = strlen(directory);
  while (end >= strlen(mount)) {
    smallest = smaller(smallest, quota(read_file, directory));
    while (end > 0 && directory[end - 1] != '/') --end;
    if (end == 0) break;
    directory[--end] = '\0';
  }
  return smallest;
}

/// Whether `controller` is one of the comma-separated `list`, which ends at a colon.
bool lists(const char* list, const char* controller) {
  size_t length = strlen(controller);
  for (const char* item = list; *item != ':' && *item != '\0'; ++item) {
    bool starts = item == list || item[-1] == ',';
    if (starts && strncmp(item, controller, length) == 0 &&
        (item[length] == ',' || item[length] == ':')) {
      return true;
    }
  }
  return false;
}

/// One line of /proc/self/cgroup: "0::/group" or "4:cpu,cpuacct:/group".
unsigned quota_of_line(ReadFile read_file, const char* line) {
  const char* controllers = strchr(line, ':');
  const char* group = controllers != nullptr ? strchr(controllers + 1, ':') : nullptr;
  if (group == nullptr) return 0;
  if (*++controllers == ':') return smallest_quota(read_file, kV2Mount, group + 1, quota_v2);
  return lists(controllers, "cpu") ? smallest_quota(read_file, kV1Mount, group + 1, quota_v1) : 0;
}

unsigned affinity_cpus() {
  unsigned long mask[128] = {};
  long bytes = shim::raw_syscall(SYS_sched_getaffinity, 0, sizeof mask, reinterpret_cast<long>(mask));
  unsigned cpus = 0;
  for (long word = 0; word * static_cast<long>(sizeof *mask) < bytes; ++word) {
    cpus += static_cast<unsigned>(__builtin_popcountl(mask[word]));
  }
  return cpus != 0 ? cpus : 1;
}

void set(int parameter, const char* option, int64_t value, Text& complaint) {
  if (value >= 0 && value <= INT_MAX && glibc::mallopt(parameter, static_cast<int>(value)) == 1) return;
  complaint.line() << option << "=" << static_cast<uint64_t>(value)
                   << " was refused by glibc's mallopt";
}

bool wants_anything(const Choice& choice) {
  return choice.arena_max != -1 || choice.trim_threshold != -1 || choice.mmap_threshold != -1 ||
         choice.tcache_count != -1;
}

}  // namespace

unsigned cgroup_cpus(ReadFile read_file) {
  char groups[kPathBytes];
  if (!read_file("/proc/self/cgroup", groups, sizeof groups)) return 0;
  unsigned smallest = 0;
  for (char* line = groups; *line != '\0';) {
    char* end = strchrnul(line, '\n');
    bool last = *end == '\0';
    *end = '\0';
    smallest = smaller(smallest, quota_of_line(read_file, line));
    line = last ? end : end + 1;
  }
  return smallest;
}

unsigned available_cpus() {
  unsigned cpus = cgroup_cpus(read_system_file);
  return cpus != 0 ? cpus : affinity_cpus();
}

void tune(const Backend* backend, const Choice& choice, char* complaint, size_t complaint_bytes) {
  Text text(complaint, complaint_bytes);
  explain_path_failure(text);
  if (backend->mallopt == glibc::mallopt) glibc::resolve_controls();
  if (!wants_anything(choice)) return;
  if (backend->mallopt != glibc::mallopt) {
    text.line() << "OFFHEAP_GLIBC_* has no effect: the backend is " << backend->name;
    return;
  }
  int64_t arenas = choice.arena_max == Choice::kAuto ? available_cpus() : choice.arena_max;
  if (arenas != -1) set(M_ARENA_MAX, "OFFHEAP_GLIBC_ARENA_MAX", arenas, text);
  if (choice.trim_threshold != -1) {
    set(M_TRIM_THRESHOLD, "OFFHEAP_GLIBC_TRIM_THRESHOLD", choice.trim_threshold, text);
  }
  if (choice.mmap_threshold != -1) {
    set(M_MMAP_THRESHOLD, "OFFHEAP_GLIBC_MMAP_THRESHOLD", choice.mmap_threshold, text);
  }
  if (choice.tcache_count != -1) {
    text.line() << "OFFHEAP_GLIBC_TCACHE_COUNT cannot be set from inside; this works: GLIBC_TUNABLES="
                << "glibc.malloc.tcache_count=" << static_cast<uint64_t>(choice.tcache_count);
  }
}

}  // namespace backends
