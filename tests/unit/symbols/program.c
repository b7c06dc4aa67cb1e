// SPDX-License-Identifier: Apache-2.0
//
// A program that exports nothing: stripped, it has no name left.
int main(void) { return 0; }
