// SPDX-License-Identifier: Apache-2.0
#include "libshim/java/vm_layout.h"

#include <string.h>

#include "libshim/java/elf_symbols.h"

namespace shim {
namespace {

using recording::JavaFrames;

constexpr uint32_t kEntryLimit = 1u << 14;
constexpr uint32_t kMissingBytes = 48;

// The tables and how their entries are laid out, as libjvm.so exports them.
class Tables {
 public:
  explicit Tables(const link_map* map) : map_(map) {
    structs_ = word("gHotSpotVMStructs");
    stride_ = word("gHotSpotVMStructEntryArrayStride");
    type_name_ = word("gHotSpotVMStructEntryTypeNameOffset");
    field_name_ = word("gHotSpotVMStructEntryFieldNameOffset");
    is_static_ = word("gHotSpotVMStructEntryIsStaticOffset");
    offset_ = word("gHotSpotVMStructEntryOffsetOffset");
    address_ = word("gHotSpotVMStructEntryAddressOffset");
    types_ = word("gHotSpotVMTypes");
    types_stride_ = word("gHotSpotVMTypeEntryArrayStride");
    types_name_ = word("gHotSpotVMTypeEntryTypeNameOffset");
    types_size_ = word("gHotSpotVMTypeEntrySizeOffset");
  }

  bool are_there() const {
    return structs_ != 0 && stride_ != 0 && types_ != 0 && types_stride_ != 0 && address_ != 0;
  }

  // A field's offset, or a static field's address; false when there is no such field.
  bool field(const char* type, const char* name, bool is_static, uint64_t* out) const {
    uint64_t entry = structs_;
    for (uint32_t i = 0; i < kEntryLimit && text(entry + type_name_) != nullptr;
         i++, entry += stride_) {
      const char* entry_name = text(entry + field_name_);
      if (entry_name == nullptr || strcmp(entry_name, name) != 0) continue;
      if (strcmp(text(entry + type_name_), type) != 0) continue;
      if ((*reinterpret_cast<const int32_t*>(entry + is_static_) != 0) != is_static) return false;
      *out = at(entry + (is_static ? address_ : offset_));
      return true;
    }
    return false;
  }

  bool size(const char* type, uint64_t* out) const {
    uint64_t entry = types_;
    for (uint32_t i = 0; i < kEntryLimit && text(entry + types_name_) != nullptr;
         i++, entry += types_stride_) {
      if (strcmp(text(entry + types_name_), type) != 0) continue;
      *out = at(entry + types_size_);
      return true;
    }
    return false;
  }

 private:
  static uint64_t at(uint64_t address) { return *reinterpret_cast<const uint64_t*>(address); }
  static const char* text(uint64_t address) { return reinterpret_cast<const char*>(at(address)); }
  uint64_t word(const char* symbol) const {
    const uint64_t address = exported_symbol(map_, symbol);
    return address != 0 ? at(address) : 0;
  }

  const link_map* map_;
  uint64_t structs_, stride_, type_name_, field_name_, is_static_, offset_, address_;
  uint64_t types_, types_stride_, types_name_, types_size_;
};

// Reads fields one by one and remembers the first that was not there.
class Fields {
 public:
  Fields(const Tables& tables, char* missing) : tables_(tables), missing_(missing) {}

  void offset(uint32_t* out, const char* type, const char* name) {
    if (!offset_if_there(out, type, name)) complain(type, name);
  }
  bool offset_if_there(uint32_t* out, const char* type, const char* name) {
    uint64_t value = 0;
    *out = 0;
    if (!tables_.field(type, name, false, &value) || value > kFarthest) return false;
    *out = static_cast<uint32_t>(value);
    return true;
  }
  // Where a field has moved from one class to another between releases.
  void either(uint32_t* out, const char* type, const char* other_type, const char* name) {
    if (!offset_if_there(out, type, name)) offset(out, other_type, name);
  }
  template <typename T>
  void address(const T** out, const char* type, const char* name) {
    uint64_t value = 0;
    if (!tables_.field(type, name, true, &value) || value == 0) return complain(type, name);
    *out = reinterpret_cast<const T*>(value);
  }
  void size(uint32_t* out, const char* type) {
    uint64_t value = 0;
    if (!tables_.size(type, &value) || value > kFarthest) return complain(type, "");
    *out = static_cast<uint32_t>(value);
  }
  bool are_complete() const { return missing_[0] == '\0'; }

 private:
  static constexpr uint64_t kFarthest = 1u << 16;

  void complain(const char* type, const char* name) {
    if (missing_[0] != '\0') return;
    uint32_t length = 0;
    const char* parts[] = {type, "::", name};
    for (const char* part : parts) {
      while (*part != '\0' && length + 1 < kMissingBytes) missing_[length++] = *part++;
    }
  }

  const Tables& tables_;
  char* missing_;
};

void read_threads(Fields* fields, VmLayout* out) {
  fields->offset(&out->thread_anchor, "JavaThread", "_anchor");
  fields->offset(&out->thread_state, "JavaThread", "_thread_state");
  fields->offset(&out->thread_vframes, "JavaThread", "_vframe_array_head");
  fields->either(&out->thread_osthread, "JavaThread", "Thread", "_osthread");
  fields->either(&out->thread_stack_base, "JavaThread", "Thread", "_stack_base");
  fields->either(&out->thread_stack_size, "JavaThread", "Thread", "_stack_size");
  fields->offset(&out->osthread_tid, "OSThread", "_thread_id");
  fields->offset(&out->anchor_sp, "JavaFrameAnchor", "_last_Java_sp");
  fields->offset(&out->anchor_pc, "JavaFrameAnchor", "_last_Java_pc");
  fields->offset(&out->anchor_fp, "JavaFrameAnchor", "_last_Java_fp");
  fields->offset(&out->call_wrapper_anchor, "JavaCallWrapper", "_anchor");
  fields->address(&out->call_stub_return, "StubRoutines", "_call_stub_return_address");
  // Not in JDK 21's tables: there a stack ends where a virtual thread's frames are in the heap.
  if (fields->offset_if_there(&out->thread_continuation, "JavaThread", "_cont_entry"))
    fields->size(&out->continuation_bytes, "ContinuationEntry");
}

void read_code_cache(Fields* fields, VmLayout* out) {
  fields->address(&out->code_low, "CodeCache", "_low_bound");
  fields->address(&out->code_high, "CodeCache", "_high_bound");
  fields->address(&out->code_heaps, "CodeCache", "_heaps");
  fields->address(&out->interpreter, "AbstractInterpreter", "_code");
  fields->offset(&out->array_length, "GrowableArrayBase", "_len");
  fields->offset(&out->array_data, "GrowableArray<int>", "_data");
  fields->offset(&out->heap_memory, "CodeHeap", "_memory");
  fields->offset(&out->heap_segments, "CodeHeap", "_segmap");
  fields->offset(&out->heap_segment_shift, "CodeHeap", "_log2_segment_size");
  fields->offset(&out->space_low, "VirtualSpace", "_low");
  fields->offset(&out->space_high, "VirtualSpace", "_high");
  fields->size(&out->block_header_bytes, "HeapBlock");
  fields->offset(&out->block_used, "HeapBlock::Header", "_used");
  fields->offset(&out->queue_buffer, "StubQueue", "_stub_buffer");
  fields->offset(&out->queue_end, "StubQueue", "_buffer_limit");
  fields->offset(&out->blob_name, "CodeBlob", "_name");
  fields->offset(&out->blob_frame_size, "CodeBlob", "_frame_size");
}

void read_older_nmethod(Fields* fields, VmLayout* out) {
  fields->offset(&out->blob_code, "CodeBlob", "_code_begin");
  fields->offset(&out->nmethod_method, "CompiledMethod", "_method");
  fields->offset(&out->nmethod_deopt, "CompiledMethod", "_deopt_handler_begin");
  fields->offset(&out->nmethod_deopt_mh, "CompiledMethod", "_deopt_mh_handler_begin");
  fields->offset(&out->nmethod_scopes, "CompiledMethod", "_scopes_data_begin");
  fields->offset(&out->nmethod_pcs, "nmethod", "_scopes_pcs_offset");
  fields->offset(&out->nmethod_pcs_end, "nmethod", "_dependencies_offset");
  fields->offset(&out->nmethod_metadata, "nmethod", "_metadata_offset");
}

void read_newer_nmethod(Fields* fields, VmLayout* out) {
  fields->offset(&out->blob_code, "CodeBlob", "_code_offset");
  fields->offset(&out->nmethod_method, "nmethod", "_method");
  fields->offset(&out->nmethod_deopt, "nmethod", "_deopt_handler_offset");
  fields->offset(&out->nmethod_deopt_mh, "nmethod", "_deopt_mh_handler_offset");
  fields->offset(&out->nmethod_pcs, "nmethod", "_scopes_pcs_offset");
  fields->offset(&out->nmethod_pcs_end, "nmethod", "_scopes_data_offset");
  fields->offset(&out->nmethod_immutable_bytes, "nmethod", "_immutable_data_size");
  fields->offset(&out->blob_mutable, "CodeBlob", "_mutable_data");
  fields->offset(&out->blob_mutable_bytes, "CodeBlob", "_mutable_data_size");
  fields->offset(&out->blob_relocation_bytes, "CodeBlob", "_relocation_size");
  out->nmethod_scopes = out->nmethod_pcs_end;
}

void read_nmethod(Fields* fields, VmLayout* out) {
  out->has_offsets = fields->offset_if_there(&out->nmethod_immutable, "nmethod", "_immutable_data");
  fields->offset(&out->nmethod_original_pc, "nmethod", "_orig_pc_offset");
  out->has_offsets ? read_newer_nmethod(fields, out) : read_older_nmethod(fields, out);
  out->unsigned5_base =
      out->feature_version >= 20 ? 1 : 0;  // HotSpot's compressedStream, unsigned5.hpp
}

void read_methods(Fields* fields, VmLayout* out) {
  fields->offset(&out->method_const, "Method", "_constMethod");
  fields->offset(&out->method_flags, "Method", "_access_flags");
  fields->offset(&out->const_pool, "ConstMethod", "_constants");
  fields->offset(&out->const_name, "ConstMethod", "_name_index");
  fields->offset(&out->const_code_bytes, "ConstMethod", "_code_size");
  fields->size(&out->const_bytes, "ConstMethod");
  fields->offset(&out->pool_holder, "ConstantPool", "_pool_holder");
  fields->size(&out->pool_bytes, "ConstantPool");
  fields->offset(&out->klass_name, "Klass", "_name");
  fields->offset(&out->symbol_length, "Symbol", "_length");
  fields->offset(&out->symbol_body, "Symbol", "_body");
}

// What this walk has been compared with the VM's own on. Between these the layout changed, in ways that
// the tables do not all tell.
bool is_known_version(uint32_t version) { return version == 17 || version == 21 || version == 25; }

}  // namespace

JavaFrames read_vm_layout(const link_map* map, uint64_t begin, uint64_t end, VmLayout* out,
                          char* missing) {
  *out = {};
  out->image_begin = begin;
  out->image_end = end;
  const Tables tables(map);
  uint64_t version = 0;
  if (!tables.are_there() ||
      !tables.field("Abstract_VM_Version", "_vm_major_version", true, &version) || version == 0) {
    return JavaFrames::kNoTables;
  }
  out->feature_version = *reinterpret_cast<const uint32_t*>(version);
  if (!is_known_version(out->feature_version)) return JavaFrames::kOtherVersion;
  memset(missing, 0, kMissingBytes);
  Fields fields(tables, missing);
  read_threads(&fields, out);
  read_code_cache(&fields, out);
  read_nmethod(&fields, out);
  read_methods(&fields, out);
  return fields.are_complete() ? JavaFrames::kWaiting : JavaFrames::kNoField;
}

}  // namespace shim
