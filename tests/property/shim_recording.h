// SPDX-License-Identifier: Apache-2.0
//
// A recording of one's own for a test: zeroed pages, as the shim gets them.
#pragma once

#include <sys/mman.h>

#include <cstdlib>

#include "libshim/recording_layout.h"

namespace shim_test {

class OwnRecording {
 public:
  OwnRecording() {
    void* pages = mmap(nullptr, sizeof(recording::Recording), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) abort();
    recording_ = static_cast<recording::Recording*>(pages);
  }
  ~OwnRecording() { munmap(recording_, sizeof(recording::Recording)); }
  OwnRecording(const OwnRecording&) = delete;
  OwnRecording& operator=(const OwnRecording&) = delete;

  recording::Recording* get() { return recording_; }
  recording::Recording* operator->() { return recording_; }

 private:
  recording::Recording* recording_;
};

}  // namespace shim_test
