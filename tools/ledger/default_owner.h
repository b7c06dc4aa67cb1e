// SPDX-License-Identifier: Apache-2.0
//
// The owner of those bytes of a mapping that no claim takes: by its path, else by what the process is.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "ledger/ledger.h"

namespace offheap {

/// What is known of the whole process before its mappings are looked at one by one.
struct ProcessTraits {
  bool jvm = false;
  bool jvm_is_read = false;
  std::string foreign_allocator;
  const std::set<std::string>* elf_paths = nullptr;
  const std::set<std::uint64_t>* tmpfs_devices = nullptr;
  std::string_view recording_path;
};

struct Labelled {
  Owner owner = Owner::kUnknown;
  std::string label;
  bool anonymous = false;   ///< claims may take parts of it
  bool plain_file = false;  ///< claims of a JVM may
};

Labelled default_owner(const Mapping& mapping, const ProcessTraits& traits);

}  // namespace offheap
