// SPDX-License-Identifier: Apache-2.0
//
// The native half of Kept.java: memory that nobody can free.
#include <jni.h>
#include <stdlib.h>
#include <string.h>

static void** last;

JNIEXPORT void JNICALL Java_Kept_keepNatively(JNIEnv* environment, jclass type, jint bytes) {
  (void)environment;
  (void)type;
  void** block = malloc((size_t)bytes);
  if (block == NULL) return;
  memset(block, 1, (size_t)bytes);
  *block = last;
  last = block;
}
