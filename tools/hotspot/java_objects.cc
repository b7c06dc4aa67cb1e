// SPDX-License-Identifier: Apache-2.0
//
// Sources: OpenJDK 17 oops/fieldInfo.hpp (six u2 a field), 21-25 oops/fieldInfo.inline.hpp
// (FieldInfoReader) and utilities/unsigned5.hpp, oops/klass.hpp, oops/constantPool.hpp,
// classfile/classLoaderData.hpp, gc/z/zAddress.hpp.
#include "hotspot/java_objects.h"

#include <algorithm>
#include <charconv>

#include "hotspot/unsigned5.h"

namespace offheap {
namespace {

constexpr std::size_t kMostLoaders = 100'000;
constexpr std::size_t kMostClasses = 500'000;
constexpr std::size_t kMostFields = 65'535;
constexpr Bytes kMostFieldOffset = 1 << 20;
constexpr std::size_t kMostTextChars = 200;
const TypeNames kKlass = {"InstanceKlass", "Klass"};

void append_utf8(std::uint16_t unit, std::string& text) {
  if (unit < 0x80) {
    text += static_cast<char>(unit);
  } else if (unit < 0x800) {
    text += static_cast<char>(0xc0 | unit >> 6);
    text += static_cast<char>(0x80 | (unit & 0x3f));
  } else if (unit >= 0xd800 && unit < 0xe000) {
    text += '?';  // half of a pair
  } else {
    text += static_cast<char>(0xe0 | unit >> 12);
    text += static_cast<char>(0x80 | (unit >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (unit & 0x3f));
  }
}

int major_version(const std::string& version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

}  // namespace

JavaObjects::JavaObjects(const Vm& vm, const HotspotReport& report) : vm_(vm) {
  compressed_oops_ = flag_is_on(report.flags, "UseCompressedOops");
  compressed_classes_ = flag_is_on(report.flags, "UseCompressedClassPointers");
  compact_headers_ = flag_is_on(report.flags, "UseCompactObjectHeaders");
  tight_arrays_ = major_version(report.version) >= 23;
  for (const char* name : {"_narrow_oop._base", "_base"})
    if (const auto base = vm.static_value("CompressedOops", name)) oop_base_ = *base;
  for (const char* name : {"_narrow_oop._shift", "_shift"})
    if (const auto shift = vm.static_value<std::uint32_t>("CompressedOops", name))
      oop_shift_ = std::min(*shift, 8U);
  const auto colors = vm.static_value("ZGlobalsForVMStructs", "_instance_p").value_or(0);
  const auto shift = vm.member(colors, {"ZGlobalsForVMStructs"}, "_ZPointerLoadShift");
  colored_ = report.gc == "ZGC" && shift.has_value();
  if (colored_) color_shift_ = static_cast<unsigned>(vm.at(*shift).value_or(0) & 31);
  const Address string = known_class("String");
  string_value_ = field(string, "value");
  string_coder_ = field(string, "coder");
}

Address JavaObjects::known_class(std::string_view name) const {
  const std::string field =
      "_klasses[static_cast<int>(vmClassID::" + std::string(name) + "_klass_knum)]";
  return vm_.static_value("vmClasses", field).value_or(0);
}

std::string JavaObjects::symbol_text(Address symbol) const {
  const auto length = vm_.member<std::uint16_t>(symbol, {"Symbol"}, "_length");
  const Address body = vm_.part(symbol, {"Symbol"}, "_body");
  if (!length || body == 0) return {};
  std::string text(*length, '\0');
  text.resize(vm_.memory().read(body, std::as_writable_bytes(std::span(text))));
  return text;
}

std::string JavaObjects::class_name(Address klass) const {
  return symbol_text(vm_.member(klass, kKlass, "_name").value_or(0));
}

std::string JavaObjects::constant_text(Address klass, std::uint64_t index) const {
  const auto pool = vm_.member(klass, kKlass, "_constants").value_or(0);
  const auto header = vm_.tables().size_of("ConstantPool");
  if (pool == 0 || !header || index > kMostFields) return {};
  return symbol_text(vm_.at(pool + *header + index * 8).value_or(0));
}

Address JavaObjects::boot_class(std::string_view name) const {
  Address loader = vm_.static_value("ClassLoaderDataGraph", "_head").value_or(0);
  for (std::size_t i = 0; i < kMostLoaders && loader != 0; ++i) {
    const auto next = vm_.member(loader, {"ClassLoaderData"}, "_next").value_or(0);
    const auto handle = vm_.part(loader, {"ClassLoaderData"}, "_class_loader");
    if (vm_.at(handle).value_or(1) == 0) {  // no loader object: the boot loader
      Address klass = vm_.member(loader, {"ClassLoaderData"}, "_klasses").value_or(0);
      for (std::size_t k = 0; k < kMostClasses && klass != 0; ++k) {
        if (class_name(klass) == name) return klass;
        klass = vm_.member(klass, kKlass, "_next_link").value_or(0);
      }
    }
    loader = next;
  }
  return 0;
}

ClassLoading JavaObjects::count_classes() const {
  ClassLoading count;
  // A link that cannot be read, as in a page that came after the mappings were listed, ends a chain
  // early.
  auto loader = vm_.static_value("ClassLoaderDataGraph", "_head");
  bool whole = true;
  while (loader && *loader != 0 && count.loader_count < kMostLoaders) {
    ++count.loader_count;
    auto klass = vm_.member(*loader, {"ClassLoaderData"}, "_klasses");
    while (klass && *klass != 0 && count.class_count < kMostClasses) {
      ++count.class_count;
      klass = vm_.member(*klass, kKlass, "_next_link");
    }
    whole = whole && klass.has_value();
    loader = vm_.member(*loader, {"ClassLoaderData"}, "_next");
  }
  count.complete = whole && loader && count.loader_count != 0 && count.loader_count < kMostLoaders &&
                   count.class_count < kMostClasses;
  return count;
}

std::optional<JavaField> JavaObjects::field(Address klass, std::string_view name) const {
  if (klass == 0) return std::nullopt;
  auto found = vm_.tables().field(kKlass, "_fieldinfo_stream") != nullptr ? field_in_stream(klass, name)
                                                                          : field_in_array(klass, name);
  if (found && found->offset > kMostFieldOffset) return std::nullopt;
  return found;
}

/// JDK 21 and later: variable-length numbers, some of them present by flags.
std::optional<JavaField> JavaObjects::field_in_stream(Address klass, std::string_view name) const {
  constexpr std::uint32_t kInitialized = 1 << 0;
  constexpr std::uint32_t kGeneric = 1 << 2;
  constexpr std::uint32_t kContended = 1 << 4;
  const auto array = vm_.member(klass, kKlass, "_fieldinfo_stream").value_or(0);
  const auto length = vm_.at<std::uint32_t>(array).value_or(0);
  constexpr std::uint32_t kMostStreamBytes = 1 << 20;
  if (length == 0 || length > kMostStreamBytes) return std::nullopt;
  std::vector<std::uint8_t> bytes(length);
  bytes.resize(vm_.memory().read(array + 4, std::as_writable_bytes(std::span(bytes))));
  Unsigned5Reader reader(bytes);
  const std::uint32_t count = reader.next();
  reader.next();  // injected fields, which follow the declared ones
  for (std::uint32_t i = 0; i < std::min<std::size_t>(count, kMostFields) && reader.good(); ++i) {
    const std::uint32_t name_index = reader.next();
    reader.next();  // signature
    const std::uint32_t offset = reader.next();
    const std::uint32_t access = reader.next();
    const std::uint32_t flags = reader.next();
    for (const std::uint32_t optional : {kInitialized, kGeneric, kContended})
      if ((flags & optional) != 0) reader.next();
    if (reader.good() && constant_text(klass, name_index) == name)
      return JavaField{offset, (access & 8) != 0};
  }
  return std::nullopt;
}

/// Up to JDK 20: six 16-bit numbers a field, the offset in the last two above a tag.
std::optional<JavaField> JavaObjects::field_in_array(Address klass, std::string_view name) const {
  const auto slots =
      static_cast<std::uint64_t>(vm_.tables().constant("FieldInfo::field_slots").value_or(0));
  const auto tag_bits = vm_.tables().constant("FIELDINFO_TAG_SIZE").value_or(-1);
  const auto array = vm_.member(klass, kKlass, "_fields").value_or(0);
  const auto count = vm_.member<std::uint16_t>(klass, kKlass, "_java_fields_count").value_or(0);
  const auto length = vm_.at<std::uint32_t>(array).value_or(0);
  if (slots != 6 || tag_bits < 0 || tag_bits > 8 || std::uint64_t{count} * slots > length)
    return std::nullopt;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto entry = vm_.at<std::array<std::uint16_t, 6>>(array + 4 + i * slots * 2);
    if (!entry) return std::nullopt;
    if (constant_text(klass, (*entry)[1]) != name) continue;
    const std::uint32_t packed = std::uint32_t{(*entry)[5]} << 16 | (*entry)[4];
    return JavaField{packed >> tag_bits, ((*entry)[0] & 8) != 0};
  }
  return std::nullopt;
}

Address JavaObjects::decode_wide(std::uint64_t value) const {
  return colored_ ? value >> color_shift_ : value;
}

Address JavaObjects::object_of_handle(Address handle) const {
  const auto slot = vm_.at(handle).value_or(0);
  return decode_wide(vm_.at(slot).value_or(0));
}

Address JavaObjects::mirror(Address klass) const {
  const Address object = object_of_handle(vm_.part(klass, kKlass, "_java_mirror"));
  // A mirror names its class: the check that this is one.
  const auto offset = vm_.static_value<std::uint32_t>("java_lang_Class", "_klass_offset");
  if (object == 0 || !offset || *offset > kMostFieldOffset) return 0;
  return vm_.at(object + *offset) == klass ? object : 0;
}

Address JavaObjects::reference(Address object, std::optional<JavaField> field) const {
  if (object == 0 || !field) return 0;
  if (!compressed_oops_) return decode_wide(vm_.at(object + field->offset).value_or(0));
  const auto narrow = vm_.at<std::uint32_t>(object + field->offset).value_or(0);
  return narrow == 0 ? 0 : oop_base_ + (Address{narrow} << oop_shift_);
}

std::optional<std::uint64_t> JavaObjects::long_value(Address object,
                                                     std::optional<JavaField> field) const {
  return object == 0 || !field ? std::nullopt : vm_.at(object + field->offset);
}

Bytes JavaObjects::array_length_offset() const {
  if (compact_headers_) return 8;
  return compressed_classes_ ? 12 : 16;
}

Bytes JavaObjects::byte_array_offset() const {
  const Bytes after = array_length_offset() + 4;
  return tight_arrays_ ? after : (after + 7) / 8 * 8;
}

std::string JavaObjects::text(Address string) const {
  const Address array = reference(string, string_value_);
  if (array == 0 || !string_coder_) return {};
  const auto length = vm_.at<std::uint32_t>(array + array_length_offset());
  const auto coder = vm_.at<std::uint8_t>(string + string_coder_->offset);
  if (!length || !coder || *coder > 1 || *length > (1U << 30)) return {};
  const std::size_t width = *coder == 0 ? 1 : 2;
  std::vector<std::uint8_t> bytes(std::min<std::size_t>(*length, kMostTextChars * width));
  const Address data = array + byte_array_offset();
  if (vm_.memory().read(data, std::as_writable_bytes(std::span(bytes))) != bytes.size()) return {};
  std::string result;
  for (std::size_t i = 0; i + width <= bytes.size(); i += width) {
    const auto high = width == 2 ? bytes[i + 1] : 0;
    append_utf8(static_cast<std::uint16_t>(bytes[i] | high << 8), result);
  }
  return result;
}

DirectMemory read_direct_memory(const Vm& vm, const JavaObjects& objects, const HotspotReport& report) {
  DirectMemory direct;
  direct.limit_bytes = flag_number(report.flags, "MaxDirectMemorySize", 0);
  if (direct.limit_bytes == 0) direct.limit_bytes = flag_number(report.flags, "MaxHeapSize", 0);
  const Address bits = objects.boot_class("java/nio/Bits");
  const Address mirror = objects.mirror(bits);
  const auto counter =
      objects.field(objects.boot_class("java/util/concurrent/atomic/AtomicLong"), "value");
  if (mirror == 0 || !counter) return direct;
  const auto value = [&](std::string_view name) {
    return objects.long_value(objects.reference(mirror, objects.field(bits, name)), counter);
  };
  const auto reserved = value("RESERVED_MEMORY");
  const auto capacity = value("TOTAL_CAPACITY");
  const auto count = value("COUNT");
  // Java's own order of these: a buffer of no bytes at all still reserves one.
  if (!reserved || !capacity || !count || *capacity > *reserved || *count > *reserved) return direct;
  direct.reserved_bytes = reserved;
  direct.capacity_bytes = capacity;
  direct.count = count;
  const auto limit = objects.long_value(mirror, objects.field(bits, "MAX_MEMORY"));
  const auto is_set = objects.field(bits, "MEMORY_LIMIT_SET");
  if (is_set && vm.at<std::uint8_t>(mirror + is_set->offset).value_or(0) == 1 && limit)
    direct.limit_bytes = *limit;
  return direct;
}

}  // namespace offheap
