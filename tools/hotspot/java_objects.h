// SPDX-License-Identifier: Apache-2.0
//
// Java objects and classes read from outside: a field by its name, a String's text. Nothing is stopped,
// so a collector may move an object while it is read: every answer is checked where it can be, and
// whoever asks must be able to do without one.
#pragma once

#include <optional>
#include <string>

#include "hotspot/hotspot_report.h"
#include "hotspot/vm.h"

namespace offheap {

/// A field of a Java class, as an offset into the object (or, for a static one, into the class's
/// mirror).
struct JavaField {
  Bytes offset = 0;
  bool is_static = false;
};

class JavaObjects {
 public:
  JavaObjects(const Vm& vm, const HotspotReport& report);

  /// One of HotSpot's well-known classes: "Thread", "String"; 0 when it is not in the tables.
  [[nodiscard]] Address known_class(std::string_view name) const;

  /// The class of that name in a loader's list ("java/nio/Bits"), the boot loader's being last; 0 when
  /// there is none.
  [[nodiscard]] Address boot_class(std::string_view name) const;

  /// Counts loaders and classes, as far as they are linked.
  [[nodiscard]] ClassLoading count_classes() const;

  [[nodiscard]] std::optional<JavaField> field(Address klass, std::string_view name) const;

  /// The object behind a handle (OopHandle); 0 when there is none.
  [[nodiscard]] Address object_of_handle(Address handle) const;
  /// The class's java.lang.Class object, which holds its static fields.
  [[nodiscard]] Address mirror(Address klass) const;
  /// The object that a reference field holds; 0 for null.
  [[nodiscard]] Address reference(Address object, std::optional<JavaField> field) const;
  [[nodiscard]] std::optional<std::uint64_t> long_value(Address object,
                                                        std::optional<JavaField> field) const;
  /// A java.lang.String's text as UTF-8, at most 200 characters.
  [[nodiscard]] std::string text(Address string) const;

 private:
  [[nodiscard]] std::string class_name(Address klass) const;
  [[nodiscard]] std::string symbol_text(Address symbol) const;
  [[nodiscard]] std::string constant_text(Address klass, std::uint64_t index) const;
  [[nodiscard]] std::optional<JavaField> field_in_stream(Address klass, std::string_view name) const;
  [[nodiscard]] std::optional<JavaField> field_in_array(Address klass, std::string_view name) const;
  [[nodiscard]] Address decode_wide(std::uint64_t value) const;
  [[nodiscard]] Bytes array_length_offset() const;
  [[nodiscard]] Bytes byte_array_offset() const;

  const Vm& vm_;
  bool compressed_oops_ = false;
  bool compressed_classes_ = false;
  bool compact_headers_ = false;
  bool colored_ = false;  ///< generational ZGC: addresses are shifted and bear colours below
  unsigned color_shift_ = 0;
  bool tight_arrays_ = false;  ///< JDK 23 and later: a byte array's bytes follow its length directly
  Address oop_base_ = 0;
  unsigned oop_shift_ = 0;
  std::optional<JavaField> string_value_;
  std::optional<JavaField> string_coder_;
};

/// What java.nio.Bits counts, with the limit that flags or Bits itself state.
///
/// Source: OpenJDK 17-25 java.base/java/nio/Bits.java (RESERVED_MEMORY, TOTAL_CAPACITY, COUNT,
/// MAX_MEMORY).
DirectMemory read_direct_memory(const Vm& vm, const JavaObjects& objects, const HotspotReport& report);

}  // namespace offheap
