// SPDX-License-Identifier: Apache-2.0
//
// Text into a fixed buffer, for complaints and names: no allocation, no format string, always
// terminated, cut where the buffer ends.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace backends {

class Text {
 public:
  /// Appends to what `buffer` holds already, which is `used` bytes without the terminator.
  Text(char* buffer, size_t capacity, size_t used = 0)
      : buffer_(buffer), capacity_(capacity), used_(used) {
    if (capacity_ > used_) buffer_[used_] = '\0';
  }

  Text& operator<<(const char* text) {
    while (*text != '\0') put(*text++);
    return *this;
  }

  Text& operator<<(uint64_t number) {
    char digits[20];
    size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    while (count != 0) put(digits[--count]);
    return *this;
  }

  Text& put(char character) {
    if (used_ + 1 < capacity_) {
      buffer_[used_++] = character;
      buffer_[used_] = '\0';
    }
    return *this;
  }

  bool empty() const { return used_ == 0; }
  /// Starts a new line unless this is the first one.
  Text& line() { return empty() ? *this : put('\n'); }

 private:
  char* buffer_;
  size_t capacity_;
  size_t used_;
};

}  // namespace backends
