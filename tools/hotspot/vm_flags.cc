// SPDX-License-Identifier: Apache-2.0
#include "hotspot/vm_flags.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace offheap {
namespace {

constexpr std::size_t kMostFlags = 5000;
constexpr std::uint32_t kOriginMask = 15;
constexpr std::size_t kMostTextBytes = 1000;

/// In the order of JVMFlag's type numbers, the same since JDK 16; before, the type was a text.
constexpr std::array<std::string_view, 10> kTypes = {
    "bool", "int", "uint", "intx", "uintx", "uint64_t", "size_t", "double", "ccstr", "ccstrlist"};

class FlagReader {
 public:
  explicit FlagReader(const Vm& vm) : vm_(vm) {
    const VmField* type = vm.tables().field(kFlag, "_type");
    type_is_text_ = type != nullptr && type->type_text.find("char") != std::string::npos;
  }

  VmFlags read() const {
    VmFlags flags;
    const auto table = static_value("flags");
    const auto count = static_value("numFlags");
    const auto stride = vm_.tables().size_of(kFlagClass).value_or(0);
    if (!table || !count || stride < 8 || stride > 256) return flags;
    for (std::size_t i = 0; i < std::min<std::size_t>(*count, kMostFlags); ++i)
      add(*table + i * stride, flags);
    return flags;
  }

 private:
  static constexpr std::string_view kFlagClass = "JVMFlag";
  static constexpr std::initializer_list<std::string_view> kFlag = {kFlagClass};

  std::optional<std::uint64_t> static_value(std::string_view name) const {
    return vm_.static_value(kFlagClass, name);
  }

  void add(Address flag, VmFlags& flags) const {
    const auto name = read_vm_text(vm_.memory(), vm_.member(flag, kFlag, "_name").value_or(0));
    const auto address = vm_.member(flag, kFlag, "_addr");
    if (!name || name->empty() || !address) return;
    auto value = value_at(*address, type_of(flag));
    if (!value) return;
    // JVMFlagOrigin: 0 default, 5 ergonomic, 7 internal, 8 of the image; the rest is somebody's wish.
    const auto origin = vm_.member<std::uint32_t>(flag, kFlag, "_flags").value_or(0) & kOriginMask;
    const bool set = (origin >= 1 && origin <= 4) || origin == 6;
    flags.try_emplace(*name, VmFlag{std::move(*value), set});
  }

  std::string type_of(Address flag) const {
    if (type_is_text_)
      return read_vm_text(vm_.memory(), vm_.member(flag, kFlag, "_type").value_or(0)).value_or("");
    const auto type = vm_.member<std::uint32_t>(flag, kFlag, "_type").value_or(kTypes.size());
    return type < kTypes.size() ? std::string(kTypes[type]) : std::string();
  }

  template <typename T, typename Wide>
  std::optional<FlagValue> number(Address address) const {
    const auto value = vm_.at<T>(address);
    if (!value) return std::nullopt;
    return FlagValue(static_cast<Wide>(*value));
  }

  std::optional<FlagValue> value_at(Address address, std::string_view type) const {
    if (type == "bool") {
      const auto value = vm_.at<std::uint8_t>(address);
      return value ? std::optional<FlagValue>(*value != 0) : std::nullopt;
    }
    if (type == "int") return number<std::int32_t, std::int64_t>(address);
    if (type == "uint") return number<std::uint32_t, std::uint64_t>(address);
    if (type == "intx") return number<std::int64_t, std::int64_t>(address);
    if (type == "uintx" || type == "uint64_t" || type == "size_t")
      return number<std::uint64_t, std::uint64_t>(address);
    if (type == "double") return number<double, double>(address);
    if (type != "ccstr" && type != "ccstrlist") return std::nullopt;
    auto text = read_vm_text(vm_.memory(), vm_.at(address).value_or(0), kMostTextBytes);
    return text ? std::optional<FlagValue>(std::move(*text)) : std::nullopt;
  }

  const Vm& vm_;
  bool type_is_text_ = false;
};

}  // namespace

VmFlags read_vm_flags(const Vm& vm) { return FlagReader(vm).read(); }

std::uint64_t flag_number(const VmFlags& flags, std::string_view name, std::uint64_t otherwise) {
  const auto found = flags.find(std::string(name));
  if (found == flags.end()) return otherwise;
  if (const auto* value = std::get_if<std::uint64_t>(&found->second.value)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&found->second.value))
    return *value < 0 ? otherwise : static_cast<std::uint64_t>(*value);
  return otherwise;
}

bool flag_is_on(const VmFlags& flags, std::string_view name) {
  const auto found = flags.find(std::string(name));
  if (found == flags.end()) return false;
  const auto* value = std::get_if<bool>(&found->second.value);
  return value != nullptr && *value;
}

std::string collector_name(const VmFlags& flags) {
  for (const char* name : {"Serial", "Parallel", "G1", "Shenandoah", "Epsilon"})
    if (flag_is_on(flags, std::string("Use") + name + "GC")) return name;
  return flag_is_on(flags, "UseZGC") ? "ZGC" : "";
}

}  // namespace offheap
