// SPDX-License-Identifier: Apache-2.0
//
// What the fuzzers share: a check that ends the process, and changes to images that are too large, or
// too structured, to be inputs themselves. Such an input is a cut and a list of patches to a valid
// image.
//
//   input = cut (4 bytes, little-endian; 0 = whole image, else the image's length modulo its size)
//           then patches of 16 bytes: section, width, element (2), offset (4), value (8)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Ends the process when an answer breaks its contract: a crash that every driver notices.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// A part of the image that is an array, so that patches hit fields rather than the void between them.
struct Section {
  std::size_t begin = 0;
  std::size_t element_bytes = 1;
  std::size_t element_count = 1;
};

/// A valid image and its sections. Patches are undone before the next input.
class PatchedImage {
 public:
  PatchedImage(std::span<const std::byte> image, std::vector<Section> sections)
      : bytes_(image.begin(), image.end()), sections_(std::move(sections)) {
    std::erase_if(sections_, [](const Section& section) {
      return section.element_bytes == 0 || section.element_count == 0;
    });
  }

  /// The image that `input` describes; valid until the next call.
  std::span<const std::byte> apply(std::span<const std::uint8_t> input) {
    undo();
    std::uint32_t cut = 0;
    if (input.size() >= sizeof cut) {
      std::memcpy(&cut, input.data(), sizeof cut);
      input = input.subspan(sizeof cut);
    }
    for (; input.size() >= kPatchBytes; input = input.subspan(kPatchBytes)) patch(input.data());
    return std::span(bytes_).first(cut == 0 ? bytes_.size() : cut % bytes_.size());
  }

 private:
  static constexpr std::size_t kPatchBytes = 16;

  void patch(const std::uint8_t* input) {
    std::uint16_t element = 0;
    std::uint32_t offset = 0;
    std::memcpy(&element, input + 2, sizeof element);
    std::memcpy(&offset, input + 4, sizeof offset);
    const Section& section = sections_[input[0] % sections_.size()];
    const std::size_t width = std::size_t{1} << (input[1] % 4);
    const std::size_t at = section.begin + element % section.element_count * section.element_bytes +
                           offset % section.element_bytes / width * width;
    if (at + width > bytes_.size()) return;
    std::vector<std::byte>& old = undo_.emplace_back(at, std::vector<std::byte>()).second;
    old.assign(bytes_.begin() + static_cast<std::ptrdiff_t>(at),
               bytes_.begin() + static_cast<std::ptrdiff_t>(at + width));
    std::memcpy(bytes_.data() + at, input + 8, width);
  }

  void undo() {
    for (; !undo_.empty(); undo_.pop_back())
      std::memcpy(bytes_.data() + undo_.back().first, undo_.back().second.data(),
                  undo_.back().second.size());
  }

  std::vector<std::byte> bytes_;
  std::vector<Section> sections_;
  std::vector<std::pair<std::size_t, std::vector<std::byte>>> undo_;
};

}  // namespace fuzz
