// SPDX-License-Identifier: Apache-2.0
//
// What symbols_test.cc loads: functions of each kind that call back, so that the test has real return
// addresses into them. SHIFT_BYTES moves them all, as another version of a library would.
#ifdef SHIFT_BYTES
asm(".text\n"
    ".globl shift\n"
    ".type shift, @function\n"
    "shift:\n"
    ".zero 4096\n"
    ".size shift, . - shift\n");
#endif

namespace plugin {

using Callback = void (*)();

class Table {
 public:
  __attribute__((noinline)) int add(Callback callback, unsigned long value);
};

int Table::add(Callback callback, unsigned long value) {
  callback();
  return static_cast<int>(value);
}

__attribute__((noinline)) static int not_exported(Callback callback, int value) {
  callback();
  return value + 1;
}

}  // namespace plugin

extern "C" int call_method(plugin::Callback callback) {
  plugin::Table table;
  return table.add(callback, 2) + 1;
}

extern "C" int call_static(plugin::Callback callback, int value) {
  return plugin::not_exported(callback, value) + 1;
}

// A call that never returns is a function's last instruction: its return address is the next one's
// begin.
asm(".text\n"
    ".globl ends_in_call\n"
    ".type ends_in_call, @function\n"
    "ends_in_call:\n"
    "  subq $8, %rsp\n"
    "  call *%rdi\n"
    ".size ends_in_call, . - ends_in_call\n"
    ".globl begins_behind\n"
    ".type begins_behind, @function\n"
    "begins_behind:\n"
    "  ret\n"
    ".size begins_behind, . - begins_behind\n");
