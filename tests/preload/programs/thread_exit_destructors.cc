// SPDX-License-Identifier: Apache-2.0
// Destructors of thread_local objects and thread keys allocate and free while a thread ends.
// env: OFFHEAP_SAMPLE=64
#include <pthread.h>

#include <string>
#include <thread>

#include "check.h"

namespace {
pthread_key_t key;
int rounds = 0;

void at_thread_exit(void* block) {
  free(block);
  free(used(malloc(3000)));
  // Keys set again in a destructor are destroyed again: after the shim's own, whichever was first.
  if (++rounds < 3) pthread_setspecific(key, malloc(500));
}

struct Holder {
  std::string text = std::string(opaque(1000), 'x');
  ~Holder() { used(malloc(100)); }
};
thread_local Holder holder;
}  // namespace

int main() {
  CHECK(pthread_key_create(&key, at_thread_exit) == 0);
  std::thread thread([] {
    pthread_setspecific(key, malloc(700));
    CHECK(holder.text.size() == 1000);
  });
  thread.join();
  CHECK(rounds == 3);
}
