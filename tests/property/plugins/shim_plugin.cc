// SPDX-License-Identifier: Apache-2.0
//
// A library whose frame size is a build option: same code, same length, other unwind rows.
extern "C" __attribute__((noinline)) int call_through(int (*callback)(void*), void* argument) {
  volatile char frame[FRAME_BYTES];
  frame[0] = 1;
  frame[sizeof(frame) - 1] = 2;
  return callback(argument) + frame[0] + frame[sizeof(frame) - 1];
}
