// SPDX-License-Identifier: Apache-2.0
//
// .eh_frame: a frame description (FDE) holds one function's rows as a small program, which starts from
// the registers' rules of its common part (CIE). Running it up to a pc gives the row in force there.
// Source: DWARF 5 section 6.4, LSB Core "Exception Frames", GCC's unwind-dw2.c for the GNU extensions.
#include "libshim/unwind/frame_row.h"

#include "libshim/unwind/cursor.h"
#include "libshim/unwind/find_object.h"

namespace shim {
namespace {

/// Compilers nest DW_CFA_remember_state once; hand-written assembly twice.
constexpr uint32_t kSavedRows = 4;

struct Common {
  uint64_t code_alignment;
  int64_t data_alignment;
  uint8_t pointer_encoding;
  bool has_augmentation;
  bool is_signal_frame;
  Cursor instructions;
};

struct Function {
  uint64_t begin;
  uint64_t end;
  Cursor instructions;
};

struct Machine {
  FrameRow row;
  FrameRow initial;
  FrameRow saved[kSavedRows];
  uint32_t saved_count;
  uint64_t location;
  Common common;
};

// ---- Locating the description

const uint8_t* search(const uint8_t* header, const uint8_t* end, uint64_t pc) {
  Cursor cursor{header, end};
  const uint8_t version = cursor.fixed<uint8_t>();
  const uint8_t frame_encoding = cursor.fixed<uint8_t>();
  const uint8_t count_encoding = cursor.fixed<uint8_t>();
  const uint8_t table_encoding = cursor.fixed<uint8_t>();
  cursor.pointer(frame_encoding);
  const uint64_t count = cursor.pointer(count_encoding);
  // The one encoding that linkers write: pairs of 4-byte offsets from the header, sorted by code.
  constexpr uint8_t kDataRelative4 = 0x3b;
  struct Entry {
    int32_t code;
    int32_t description;
  };
  const uint64_t room = static_cast<uint64_t>(end - cursor.at) / sizeof(Entry);
  if (!cursor.is_good || version != 1 || table_encoding != kDataRelative4 || count > room)
    return nullptr;
  const auto* entries = reinterpret_cast<const Entry*>(cursor.at);
  const auto offset = static_cast<int64_t>(pc - reinterpret_cast<uint64_t>(header));
  uint64_t low = 0;
  uint64_t high = count;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (entries[middle].code <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? nullptr : header + entries[low - 1].description;
}

// A record's body after its length; 64-bit records do not occur in loaded code.
Cursor record(const uint8_t* at, const FoundObject& object) {
  const auto* begin = static_cast<const uint8_t*>(object.map_begin);
  const auto* end = static_cast<const uint8_t*>(object.map_end);
  if (at < begin || at >= end) return {at, at, false};
  Cursor cursor{at, end};
  const uint32_t length = cursor.fixed<uint32_t>();
  if (length == 0 || length > static_cast<uint64_t>(end - cursor.at)) cursor.is_good = false;
  if (cursor.is_good) cursor.end = cursor.at + length;
  return cursor;
}

void read_augmentation(Common* common, Cursor* cursor, const uint8_t* letters) {
  const uint64_t length = cursor->uleb();
  Cursor data{cursor->at, cursor->end, cursor->is_good};
  cursor->skip(length);
  for (; *letters != '\0' && data.is_good; letters++) {
    switch (*letters) {
      case 'R':
        common->pointer_encoding = data.fixed<uint8_t>();
        break;
      case 'P': {
        const uint8_t encoding = data.fixed<uint8_t>() & 0x0f;
        data.skip(encoding == 0x03 || encoding == 0x0b ? 4 : 8);
        break;
      }
      case 'L':
        data.skip(1);
        break;
      case 'S':
        common->is_signal_frame = true;
        break;
      default:
        return;  // what follows an unknown letter cannot be told apart; the length has skipped it
    }
  }
}

bool read_common(Common* common, const uint8_t* at, const FoundObject& object) {
  Cursor cursor = record(at, object);
  const uint32_t id = cursor.fixed<uint32_t>();
  const uint8_t version = cursor.fixed<uint8_t>();
  const uint8_t* letters = cursor.at;
  while (cursor.fixed<uint8_t>() != 0) {
  }
  common->code_alignment = cursor.uleb();
  common->data_alignment = cursor.sleb();
  const uint64_t return_register = version == 1 ? cursor.fixed<uint8_t>() : cursor.uleb();
  if (!cursor.is_good || id != 0 || (version != 1 && version != 3)) return false;
  if (return_register != kReturnAddress) return false;
  if (*letters == 'z') {
    common->has_augmentation = true;
    read_augmentation(common, &cursor, letters + 1);
  }
  common->instructions = cursor;
  return cursor.is_good;
}

bool read_function(Function* function, Common* common, const uint8_t* at, const FoundObject& object) {
  Cursor cursor = record(at, object);
  const uint8_t* place = cursor.at;
  const uint32_t distance = cursor.fixed<uint32_t>();
  if (!cursor.is_good || distance == 0 || !read_common(common, place - distance, object)) return false;
  function->begin = cursor.pointer(common->pointer_encoding);
  function->end = function->begin + cursor.pointer(common->pointer_encoding & 0x0f);
  if (common->has_augmentation) cursor.skip(cursor.uleb());
  function->instructions = cursor;
  return cursor.is_good;
}

// ---- Running the program

void set_rule(Machine* machine, uint64_t number, RuleKind kind, int64_t value) {
  if (number < kRegisterCount) machine->row.registers[number] = {kind, static_cast<int32_t>(value)};
}

void restore_rule(Machine* machine, uint64_t number) {
  if (number < kRegisterCount) machine->row.registers[number] = machine->initial.registers[number];
}

// Where the expression stands; the cursor moves behind it.
int64_t take_expression(Machine* machine, Cursor* cursor) {
  const int64_t position = cursor->at - machine->row.expressions;
  cursor->skip(cursor->uleb());
  return position;
}

void set_cfa(Machine* machine, uint64_t number, int64_t offset) {
  machine->row.cfa = {RuleKind::kRegister, static_cast<int32_t>(number)};
  machine->row.cfa_offset = offset;
}

bool run_cfa_instruction(Machine* machine, Cursor* cursor, uint8_t code) {
  const int64_t scale = machine->common.data_alignment;
  switch (code) {
    case 0x0c: {  // def_cfa
      const uint64_t number = cursor->uleb();
      set_cfa(machine, number, static_cast<int64_t>(cursor->uleb()));
      return true;
    }
    case 0x0d:  // def_cfa_register
      machine->row.cfa = {RuleKind::kRegister, static_cast<int32_t>(cursor->uleb())};
      return true;
    case 0x0e:  // def_cfa_offset
      machine->row.cfa_offset = static_cast<int64_t>(cursor->uleb());
      return true;
    case 0x0f:  // def_cfa_expression
      machine->row.cfa = {RuleKind::kIsExpression,
                          static_cast<int32_t>(take_expression(machine, cursor))};
      return true;
    case 0x12: {  // def_cfa_sf
      const uint64_t number = cursor->uleb();
      set_cfa(machine, number, cursor->sleb() * scale);
      return true;
    }
    case 0x13:  // def_cfa_offset_sf
      machine->row.cfa_offset = cursor->sleb() * scale;
      return true;
    case 0x2e:  // GNU_args_size: of interest to landing pads alone
      cursor->uleb();
      return true;
    default:
      return false;
  }
}

bool run_rule_instruction(Machine* machine, Cursor* cursor, uint8_t code) {
  const int64_t scale = machine->common.data_alignment;
  const uint64_t number = cursor->uleb();
  switch (code) {
    case 0x05:  // offset_extended
      set_rule(machine, number, RuleKind::kAtCfa, static_cast<int64_t>(cursor->uleb()) * scale);
      return true;
    case 0x06:  // restore_extended
      restore_rule(machine, number);
      return true;
    case 0x07:
      set_rule(machine, number, RuleKind::kUndefined, 0);
      return true;
    case 0x08:
      set_rule(machine, number, RuleKind::kSame, 0);
      return true;
    case 0x09:
      set_rule(machine, number, RuleKind::kRegister, static_cast<int64_t>(cursor->uleb()));
      return true;
    case 0x10:  // expression
      set_rule(machine, number, RuleKind::kAtExpression, take_expression(machine, cursor));
      return true;
    case 0x11:  // offset_extended_sf
      set_rule(machine, number, RuleKind::kAtCfa, cursor->sleb() * scale);
      return true;
    case 0x14:  // val_offset
      set_rule(machine, number, RuleKind::kIsCfa, static_cast<int64_t>(cursor->uleb()) * scale);
      return true;
    case 0x15:  // val_offset_sf
      set_rule(machine, number, RuleKind::kIsCfa, cursor->sleb() * scale);
      return true;
    case 0x16:  // val_expression
      set_rule(machine, number, RuleKind::kIsExpression, take_expression(machine, cursor));
      return true;
    case 0x2f:  // GNU_negative_offset_extended
      set_rule(machine, number, RuleKind::kAtCfa, -static_cast<int64_t>(cursor->uleb()) * scale);
      return true;
    default:
      return false;
  }
}

bool run_state_instruction(Machine* machine, Cursor* cursor, uint8_t code) {
  switch (code) {
    case 0x00:  // nop
      return true;
    case 0x01:  // set_loc
      machine->location = cursor->pointer(machine->common.pointer_encoding);
      return true;
    case 0x02:
      machine->location += cursor->fixed<uint8_t>() * machine->common.code_alignment;
      return true;
    case 0x03:
      machine->location += cursor->fixed<uint16_t>() * machine->common.code_alignment;
      return true;
    case 0x04:
      machine->location += cursor->fixed<uint32_t>() * machine->common.code_alignment;
      return true;
    case 0x0a:  // remember_state
      if (machine->saved_count == kSavedRows) return false;
      machine->saved[machine->saved_count++] = machine->row;
      return true;
    case 0x0b:  // restore_state
      if (machine->saved_count == 0) return false;
      machine->row = machine->saved[--machine->saved_count];
      return true;
    default:
      return run_cfa_instruction(machine, cursor, code) || run_rule_instruction(machine, cursor, code);
  }
}

// Three instructions carry their first operand in the lower six bits.
bool run_instruction(Machine* machine, Cursor* cursor) {
  const uint8_t code = cursor->fixed<uint8_t>();
  const uint8_t operand = code & 0x3f;
  switch (code & 0xc0) {
    case 0x40:
      machine->location += operand * machine->common.code_alignment;
      return true;
    case 0x80:
      set_rule(machine, operand, RuleKind::kAtCfa,
               static_cast<int64_t>(cursor->uleb()) * machine->common.data_alignment);
      return true;
    case 0xc0:
      restore_rule(machine, operand);
      return true;
    default:
      return run_state_instruction(machine, cursor, code);
  }
}

bool run(Machine* machine, Cursor cursor, uint64_t pc) {
  while (cursor.has_more()) {
    if (!run_instruction(machine, &cursor)) return false;
    if (machine->location > pc)
      return true;  // an advance changes nothing else, so the row still stands
  }
  return cursor.is_good;
}

}  // namespace

RowStatus find_row(uint64_t pc, FrameRow* out) {
  FoundObject object;
  if (!find_object(pc, &object)) return RowStatus::kNoModule;
  const auto* end = static_cast<const uint8_t*>(object.map_end);
  if (object.eh_frame_header == nullptr) return RowStatus::kNoRows;
  const uint8_t* description = search(static_cast<const uint8_t*>(object.eh_frame_header), end, pc);
  if (description == nullptr) return RowStatus::kNoRows;
  Machine machine;
  machine.common = {};
  machine.saved_count = 0;
  machine.row = {};
  Function function{};
  if (!read_function(&function, &machine.common, description, object)) return RowStatus::kNoRows;
  if (pc < function.begin || pc >= function.end) return RowStatus::kNoRows;
  machine.row.expressions = description;
  machine.row.end = end;
  machine.row.is_signal_frame = machine.common.is_signal_frame;
  machine.location = function.begin;
  if (!run(&machine, machine.common.instructions, ~0ull)) return RowStatus::kNoRows;
  machine.initial = machine.row;
  if (!run(&machine, function.instructions, pc)) return RowStatus::kNoRows;
  *out = machine.row;
  return RowStatus::kFound;
}

}  // namespace shim
