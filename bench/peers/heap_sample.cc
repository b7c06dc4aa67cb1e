// SPDX-License-Identifier: Apache-2.0
//
// Preloaded beside libtcmalloc, writes tcmalloc's sampled heap to the file named by HEAP_SAMPLE_FILE as
// the program ends: gperftools has a call for that, MallocExtension::GetHeapSample, but no setting.
#include <gperftools/malloc_extension.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

[[gnu::destructor]] void write_heap_sample() {
  const char* path = std::getenv("HEAP_SAMPLE_FILE");
  std::FILE* file = path ? std::fopen(path, "w") : nullptr;
  if (!file) return;
  std::string profile;
  MallocExtension::instance()->GetHeapSample(&profile);
  std::fwrite(profile.data(), 1, profile.size(), file);
  std::fclose(file);
}

}  // namespace
