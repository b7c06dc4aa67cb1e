// SPDX-License-Identifier: Apache-2.0
//
// A small JVM's memory with patches, read as a target's. The image is mostly void, so the patches hit
// what has been written to it: pointers, counts and texts.
#include "fuzz.h"
#include "hotspot/hotspot.h"
#include "hotspot/unsigned5.h"
#include "hotspot_checks.h"
#include "jvm_image.h"

namespace {

using offheap::kHeapBase;

constexpr std::size_t kTables = 16 << 10;  ///< where the image's tables begin

fuzz::PatchedImage& image() {
  static fuzz::PatchedImage patched(offheap::JvmImage().bytes(), {{0, 8, 32},
                                                                  {kTables, 8, 64},
                                                                  {kTables, 8, 512},
                                                                  {kTables, 48, 80},
                                                                  {0, 8, offheap::kImageBytes / 8}});
  return patched;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = image().apply({data, size});
  const offheap::JvmImage memory({bytes.begin(), bytes.end()});
  const auto mappings = offheap::JvmImage::mappings();
  if (const auto hotspot = offheap::Hotspot::find(memory, mappings, {})) {
    fuzz::check(hotspot->read());
    const std::array<offheap::Range, 1> unowned = {offheap::Range{kHeapBase, kHeapBase + 4096}};
    const auto inferred = hotspot->infer(unowned);
    fuzz::require(inferred.size() <= 1, "nothing is inferred that was not asked for");
  }
  offheap::Unsigned5Reader numbers({data, size});
  for (std::size_t i = 0; i <= size && numbers.good(); ++i) numbers.next();
  fuzz::require(!numbers.good(), "a number takes a byte at least");
  return 0;
}
