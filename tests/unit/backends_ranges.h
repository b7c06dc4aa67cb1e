// SPDX-License-Identifier: Apache-2.0
//
// What embedded backends report of their mappings, kept as the shim would: no allocation, no lock that
// a fork could leave behind.
#pragma once

#include <cstddef>

/// Bytes that any backend has mapped so far in this process.
size_t mapped_bytes();

/// Whether [block, block + bytes) lies in what backends have mapped and not unmapped.
bool is_mapped(const void* block, size_t bytes);
