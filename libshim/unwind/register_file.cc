// SPDX-License-Identifier: Apache-2.0
#include "libshim/unwind/register_file.h"

#include "libshim/unwind/expression.h"

namespace shim {
namespace {

bool find_cfa(const RegisterFile& registers, StackWindow* window, const FrameRow& row, uint64_t* cfa) {
  if (row.cfa.kind == RuleKind::kIsExpression) {
    return evaluate(row, row.cfa.value, registers, window, nullptr, cfa);
  }
  const auto number = static_cast<uint32_t>(row.cfa.value);
  if (row.cfa.kind != RuleKind::kRegister || number >= kRegisterCount) return false;
  *cfa = registers.values[number] + static_cast<uint64_t>(row.cfa_offset);
  return true;
}

bool apply(const RegisterFile& registers, StackWindow* window, const FrameRow& row, uint32_t number,
           uint64_t cfa, uint64_t* value) {
  const RegisterRule rule = row.registers[number];
  const uint64_t from_cfa = cfa + static_cast<uint64_t>(static_cast<int64_t>(rule.value));
  uint64_t address = from_cfa;
  switch (rule.kind) {
    case RuleKind::kSame:
    case RuleKind::kUndefined:
      if (number == kRsp) *value = cfa;
      return true;
    case RuleKind::kAtCfa:
      return read_stack(window, from_cfa, value);
    case RuleKind::kIsCfa:
      *value = from_cfa;
      return true;
    case RuleKind::kRegister:
      if (static_cast<uint32_t>(rule.value) >= kRegisterCount) return false;
      *value = registers.values[rule.value];
      return true;
    case RuleKind::kAtExpression:
      return evaluate(row, rule.value, registers, window, &cfa, &address) &&
             read_stack(window, address, value);
    case RuleKind::kIsExpression:
      return evaluate(row, rule.value, registers, window, &cfa, value);
  }
  return false;
}

}  // namespace

bool step_registers(RegisterFile* registers, StackWindow* window, const FrameRow& row) {
  uint64_t cfa;
  if (!find_cfa(*registers, window, row, &cfa)) return false;
  RegisterFile caller = *registers;
  for (uint32_t number = 0; number < kRegisterCount; number++) {
    if (!apply(*registers, window, row, number, cfa, &caller.values[number])) return false;
  }
  const uint64_t sp = caller.values[kRsp];
  if (row.is_signal_frame) {
    *window = stack_window(sp);
  } else if (sp <= registers->values[kRsp]) {
    return false;  // a caller's frame lies above
  }
  *registers = caller;
  return true;
}

}  // namespace shim
