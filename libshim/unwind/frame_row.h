// SPDX-License-Identifier: Apache-2.0
//
// One row of a module's unwind table: how to find, at one pc, the caller's registers. Read from
// .eh_frame through the search table of .eh_frame_hdr.
#pragma once

#include <cstdint>

namespace shim {

/// DWARF register numbers of x86-64.
inline constexpr uint32_t kRbp = 6;
inline constexpr uint32_t kRsp = 7;
inline constexpr uint32_t kReturnAddress = 16;
inline constexpr uint32_t kRegisterCount = 17;

enum class RuleKind : uint8_t {
  kSame = 0,      ///< the register still holds the caller's value
  kUndefined,     ///< lost; for the return address: this is the root
  kAtCfa,         ///< saved at CFA + value
  kIsCfa,         ///< is CFA + value
  kRegister,      ///< is in register number `value`
  kAtExpression,  ///< saved where the expression says
  kIsExpression,  ///< is what the expression says
};

/// `value` of an expression is where its length byte stands, relative to FrameRow::expressions.
struct RegisterRule {
  RuleKind kind;
  int32_t value;
};

struct FrameRow {
  RegisterRule registers[kRegisterCount];
  RegisterRule cfa;  ///< kRegister (plus cfa_offset) or kIsExpression
  int64_t cfa_offset;
  const uint8_t* expressions;
  const uint8_t* end;    ///< of the module's mapping; nothing is read beyond
  bool is_signal_frame;  ///< the return trampoline of a signal handler
};

enum class RowStatus {
  kFound,
  kNoModule,  ///< not in any module: generated code, or no address at all
  kNoRows,    ///< in a module, which describes nothing there
};

/// The row in force at `pc`. For a return address give the address minus one: a call may be the last
/// instruction of its function.
/// Thread: any, without locks. Signal: safe. Alloc: none.
RowStatus find_row(uint64_t pc, FrameRow* out);

}  // namespace shim
