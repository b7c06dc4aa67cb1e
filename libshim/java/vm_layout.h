// SPDX-License-Identifier: Apache-2.0
//
// Where a HotSpot VM keeps what the walk of Java stacks needs, read once from the description of itself
// that every libjvm.so exports (gHotSpotVMStructs and its kin).
#pragma once

#include <link.h>

#include <cstdint>

#include "libshim/recording_layout.h"

namespace shim {

/// Offsets in bytes, and addresses of static fields. Only fields that differ between builds stand here;
/// what HotSpot fixes for x86-64 in its sources is in walk.cc.
struct VmLayout {
  uint64_t image_begin;  ///< of libjvm.so
  uint64_t image_end;
  uint32_t feature_version;

  // Threads
  uint32_t thread_anchor, thread_osthread, thread_stack_base, thread_stack_size, thread_state;
  uint32_t thread_vframes, osthread_tid;
  uint32_t anchor_sp, anchor_pc, anchor_fp;
  uint32_t call_wrapper_anchor;
  uint32_t thread_continuation;  ///< 0 where the tables do not tell
  uint32_t continuation_bytes;
  const uint64_t* call_stub_return;

  // Code cache and interpreter
  const uint64_t* code_low;
  const uint64_t* code_high;
  const uint64_t* code_heaps;
  const uint64_t* interpreter;
  uint32_t array_length, array_data;
  uint32_t heap_memory, heap_segments, heap_segment_shift;
  uint32_t space_low, space_high;
  uint32_t block_header_bytes, block_used;
  uint32_t queue_buffer, queue_end;
  uint32_t blob_name, blob_frame_size;

  // Compiled code. Of each group of two one is there: an address, or an offset from one.
  bool has_offsets;    ///< the newer form
  uint32_t blob_code;  ///< address of the code, or its offset (newer)
  uint32_t nmethod_method;
  uint32_t nmethod_deopt;  ///< handler's address, or its offset (newer)
  uint32_t nmethod_deopt_mh;
  uint32_t nmethod_original_pc;
  uint32_t nmethod_pcs;        ///< offset field: first PcDesc
  uint32_t nmethod_pcs_end;    ///< offset field: what follows the PcDescs
  uint32_t nmethod_scopes;     ///< debug information: its address, or offset (newer)
  uint32_t nmethod_metadata;   ///< older: offset field
  uint32_t nmethod_immutable;  ///< newer: address of PcDescs and debug information
  uint32_t nmethod_immutable_bytes;
  uint32_t blob_mutable;  ///< newer: address of relocations, then metadata
  uint32_t blob_mutable_bytes;
  uint32_t blob_relocation_bytes;
  uint32_t unsigned5_base;  ///< lowest byte value in use by compressed numbers

  // Methods
  uint32_t method_const, method_flags;
  uint32_t const_pool, const_name, const_code_bytes, const_bytes;
  uint32_t pool_holder, pool_bytes;
  uint32_t klass_name;
  uint32_t symbol_length, symbol_body;
};

/// Fills `out` from the loaded libjvm.so `map`, whose image is [begin, end).
///
/// Errors: why Java frames are not to be had; for kNoField `missing` (48 bytes) names the field.
///         kWaiting when everything is there. Thread: any, without locks. Alloc: none. About a
///         millisecond.
/// Source: HotSpot src/hotspot/share/runtime/vmStructs.cpp; the serviceability agent reads the same.
recording::JavaFrames read_vm_layout(const link_map* map, uint64_t begin, uint64_t end, VmLayout* out,
                                     char* missing);

}  // namespace shim
