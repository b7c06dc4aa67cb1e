// SPDX-License-Identifier: Apache-2.0
//
// The figures that every workload prints of itself: CPU time, and the most memory that was resident.
#pragma once

#include <time.h>

#include <cstdio>

namespace figures {

inline double nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// CPU time so far, of all threads and of this one.
inline double process_cpu_ns() { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }
inline double thread_cpu_ns() { return nanoseconds(CLOCK_THREAD_CPUTIME_ID); }

/// The number behind `field`, such as "VmHWM:", in KiB; -1 where the kernel gives none.
/// Source: proc_pid_status(5).
inline long status_kib(const char* field) {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (!file) return -1;
  char format[32];
  std::snprintf(format, sizeof format, "%s %%ld", field);
  char line[256];
  long kib = -1;
  while (std::fgets(line, sizeof line, file) && std::sscanf(line, format, &kib) != 1) {
  }
  std::fclose(file);
  return kib;
}

/// Prints "peak_kib N". To be called before the last line, which is the time.
inline void print_peak() { std::printf("peak_kib %ld\n", status_kib("VmHWM:")); }

}  // namespace figures
