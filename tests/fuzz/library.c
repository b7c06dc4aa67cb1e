// SPDX-License-Identifier: Apache-2.0
//
// What function_table_fuzzer damages: exported, static, weak and aliased functions, a table of data.

__attribute__((noinline)) static int helper(int value) { return value * 3 + 1; }

int table[16] = {1, 2, 3};

int exported_function(int value) { return helper(value) + table[value & 15]; }

__attribute__((weak)) int weak_function(int value) { return exported_function(value) - 1; }

int aliased_function(int value) __attribute__((alias("weak_function")));

// A mangled name of each kind.
int _ZN6plugin5Table3addEim(int value) { return helper(value - 1); }
int _ZN4core3fmt5write17h0123456789abcdefE(int value) { return helper(value + 1); }
