// SPDX-License-Identifier: Apache-2.0
//
// Memory that is there before the look begins: one block, given out from front to back and taken back
// all at once, and tables of a fixed size in it. A full table counts what it has no room for; nothing
// here asks the system for more.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>

namespace offheap::host {

class Arena {
 public:
  Arena() = default;
  explicit Arena(std::span<std::byte> block) : block_(block) {}

  /// As many as asked for, or as many as there is room for.
  template <typename T>
  std::span<T> array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    constexpr std::size_t kEach = sizeof(T);  // NOLINT(bugprone-sizeof-expression): T may be a pointer
    const std::size_t begin = (used_ + alignof(T) - 1) / alignof(T) * alignof(T);
    const std::size_t room = begin < block_.size() ? (block_.size() - begin) / kEach : 0;
    count = std::min(count, room);
    auto* first = reinterpret_cast<T*>(block_.data() + begin);
    for (std::size_t i = 0; i < count; ++i) new (first + i) T();
    if (count > 0) used_ = begin + count * kEach;
    return {first, count};
  }

  /// A copy that lives until reset(), cut short where there is no room.
  std::string_view keep(std::string_view text) {
    const auto copy = array<char>(text.size());
    std::copy_n(text.begin(), copy.size(), copy.begin());
    return {copy.data(), copy.size()};
  }

  void reset() { used_ = 0; }
  [[nodiscard]] std::size_t size() const { return block_.size(); }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::span<std::byte> block_;
  std::size_t used_ = 0;
};

/// Rows in an arena.
template <typename T>
class Table {
 public:
  Table() = default;
  explicit Table(std::span<T> room) : room_(room) {}

  /// The new row; null, and counted, when the table is full.
  T* push(const T& row) {
    if (size_ == room_.size()) {
      ++dropped_;
      return nullptr;
    }
    room_[size_] = row;
    return &room_[size_++];
  }

  /// Adds a row, in place of the one of least weight() when the table is full. Rows move: keep no
  /// reference, and sort them when all are there.
  void push_heaviest(const T& row) {
    if (size_ < room_.size()) {
      room_[size_++] = row;
      return;
    }
    ++dropped_;
    if (size_ == 0) return;
    const auto heavier = [](const T& a, const T& b) { return a.weight() > b.weight(); };
    if (dropped_ == 1) std::make_heap(room_.begin(), room_.end(), heavier);
    if (room_.front().weight() >= row.weight()) return;
    std::pop_heap(room_.begin(), room_.end(), heavier);
    room_.back() = row;
    std::push_heap(room_.begin(), room_.end(), heavier);
  }

  void clear() {
    size_ = 0;
    dropped_ = 0;
  }
  [[nodiscard]] std::span<T> rows() { return room_.first(size_); }
  [[nodiscard]] std::span<const T> rows() const { return room_.first(size_); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  T& operator[](std::size_t i) { return room_[i]; }
  const T& operator[](std::size_t i) const { return room_[i]; }

 private:
  std::span<T> room_;
  std::size_t size_ = 0;
  std::uint64_t dropped_ = 0;
};

/// A short text by value, cut at its capacity.
template <std::size_t kCapacity>
class ShortText {
 public:
  ShortText() = default;
  ShortText(std::string_view text)
      : size_(static_cast<std::uint8_t>(std::min(text.size(), kCapacity))) {
    std::copy_n(text.begin(), size_, bytes_.begin());
  }
  operator std::string_view() const { return view(); }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  static_assert(kCapacity < 256);
  std::array<char, kCapacity> bytes_{};
  std::uint8_t size_ = 0;
};

}  // namespace offheap::host
