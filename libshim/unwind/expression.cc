// SPDX-License-Identifier: Apache-2.0
#include "libshim/unwind/expression.h"

#include "libshim/unwind/cursor.h"

namespace shim {
namespace {

constexpr uint32_t kDepth = 16;

struct Evaluation {
  Cursor cursor;
  const RegisterFile* registers;
  StackWindow* window;
  uint64_t values[kDepth];
  uint32_t count;
  bool is_good;

  void push(uint64_t value) {
    if (count == kDepth) {
      is_good = false;
      return;
    }
    values[count++] = value;
  }

  uint64_t pop() {
    if (count == 0) {
      is_good = false;
      return 0;
    }
    return values[--count];
  }
};

void push_register(Evaluation* evaluation, uint64_t number, int64_t offset) {
  if (number >= kRegisterCount) {
    evaluation->is_good = false;
    return;
  }
  evaluation->push(evaluation->registers->values[number] + static_cast<uint64_t>(offset));
}

bool push_constant(Evaluation* evaluation, uint8_t code) {
  Cursor* cursor = &evaluation->cursor;
  switch (code) {
    case 0x08:
      evaluation->push(cursor->fixed<uint8_t>());
      return true;
    case 0x09:
      evaluation->push(static_cast<uint64_t>(int64_t{cursor->fixed<int8_t>()}));
      return true;
    case 0x0a:
      evaluation->push(cursor->fixed<uint16_t>());
      return true;
    case 0x0b:
      evaluation->push(static_cast<uint64_t>(int64_t{cursor->fixed<int16_t>()}));
      return true;
    case 0x0c:
      evaluation->push(cursor->fixed<uint32_t>());
      return true;
    case 0x0d:
      evaluation->push(static_cast<uint64_t>(int64_t{cursor->fixed<int32_t>()}));
      return true;
    case 0x03:  // addr
    case 0x0e:
    case 0x0f:
      evaluation->push(cursor->fixed<uint64_t>());
      return true;
    case 0x10:
      evaluation->push(cursor->uleb());
      return true;
    case 0x11:
      evaluation->push(static_cast<uint64_t>(cursor->sleb()));
      return true;
    default:
      return false;
  }
}

// `a` was pushed first.
bool push_binary(Evaluation* evaluation, uint8_t code) {
  const uint64_t b = evaluation->pop();
  const uint64_t a = evaluation->pop();
  const auto signed_a = static_cast<int64_t>(a);
  const auto signed_b = static_cast<int64_t>(b);
  switch (code) {
    case 0x1a:
      evaluation->push(a & b);
      return true;
    case 0x1c:
      evaluation->push(a - b);
      return true;
    case 0x1e:
      evaluation->push(a * b);
      return true;
    case 0x21:
      evaluation->push(a | b);
      return true;
    case 0x22:
      evaluation->push(a + b);
      return true;
    case 0x24:
      evaluation->push(b < 64 ? a << b : 0);
      return true;
    case 0x25:
      evaluation->push(b < 64 ? a >> b : 0);
      return true;
    case 0x26:
      evaluation->push(static_cast<uint64_t>(signed_a >> (b < 64 ? b : 63)));
      return true;
    case 0x27:
      evaluation->push(a ^ b);
      return true;
    case 0x29:
      evaluation->push(a == b);
      return true;
    case 0x2a:
      evaluation->push(signed_a >= signed_b);
      return true;
    case 0x2b:
      evaluation->push(signed_a > signed_b);
      return true;
    case 0x2c:
      evaluation->push(signed_a <= signed_b);
      return true;
    case 0x2d:
      evaluation->push(signed_a < signed_b);
      return true;
    case 0x2e:
      evaluation->push(a != b);
      return true;
    default:
      return false;
  }
}

bool push_word(Evaluation* evaluation) {
  uint64_t value = 0;
  if (!read_stack(evaluation->window, evaluation->pop(), &value)) return false;
  evaluation->push(value);
  return true;
}

bool rearrange(Evaluation* evaluation, uint8_t code) {
  switch (code) {
    case 0x12: {  // dup
      const uint64_t top = evaluation->pop();
      evaluation->push(top);
      evaluation->push(top);
      return true;
    }
    case 0x13:  // drop
      evaluation->pop();
      return true;
    case 0x16: {  // swap
      const uint64_t top = evaluation->pop();
      const uint64_t second = evaluation->pop();
      evaluation->push(top);
      evaluation->push(second);
      return true;
    }
    case 0x23: {  // plus_uconst
      const uint64_t addend = evaluation->cursor.uleb();
      evaluation->push(evaluation->pop() + addend);
      return true;
    }
    default:
      return false;
  }
}

bool operate(Evaluation* evaluation) {
  const uint8_t code = evaluation->cursor.fixed<uint8_t>();
  if (code >= 0x30 && code <= 0x4f) {  // lit0..lit31
    evaluation->push(code - 0x30u);
    return true;
  }
  if (code >= 0x70 && code <= 0x8f) {  // breg0..breg31
    push_register(evaluation, code - 0x70u, evaluation->cursor.sleb());
    return true;
  }
  if (code == 0x92) {  // bregx
    const uint64_t number = evaluation->cursor.uleb();
    push_register(evaluation, number, evaluation->cursor.sleb());
    return true;
  }
  if (code == 0x06) return push_word(evaluation);
  if (code == 0x96) return true;  // nop
  if (code < 0x12) return push_constant(evaluation, code);
  return rearrange(evaluation, code) || push_binary(evaluation, code);
}

}  // namespace

bool evaluate(const FrameRow& row, int32_t position, const RegisterFile& registers, StackWindow* window,
              const uint64_t* first, uint64_t* result) {
  Evaluation evaluation{{row.expressions + position, row.end}, &registers, window, {}, 0, true};
  const uint64_t length = evaluation.cursor.uleb();
  if (!evaluation.cursor.is_good) return false;
  if (length > static_cast<uint64_t>(evaluation.cursor.end - evaluation.cursor.at)) return false;
  evaluation.cursor.end = evaluation.cursor.at + length;
  if (first != nullptr) evaluation.push(*first);
  while (evaluation.cursor.has_more() && evaluation.is_good) {
    if (!operate(&evaluation)) return false;
  }
  *result = evaluation.pop();
  return evaluation.is_good && evaluation.cursor.is_good;
}

}  // namespace shim
