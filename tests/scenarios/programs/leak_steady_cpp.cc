// SPDX-License-Identifier: Apache-2.0
//
// The same in C++: sessions made by new in a store that nobody prunes, so they leak through operator
// new, called from a member function whose name has to be demangled.
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "scenario.h"

namespace {

scenario_site site = {"SessionStore::remember", 0, 0};

struct Session {
  uint64_t id = 0;
  char state[488] = {};
};

class SessionStore {
 public:
  SCENARIO_NOINLINE void remember(uint64_t id) {
    Session* session = new Session;
    session->id = id;
    scenario_count(&site, session, sizeof(Session));
    sessions_.push_back(session);
  }
  void reserve(size_t count) { sessions_.reserve(count); }
  uint64_t bytes() const { return sessions_.size() * sizeof(Session); }

 private:
  std::vector<Session*> sessions_;
};

/// Requests that come and go: strings in a map, made and dropped.
void serve(uint64_t* state, std::unordered_map<uint64_t, std::string>* table) {
  for (int i = 0; i < 10; i++) {
    uint64_t key = scenario_random(state) % 2000;
    (*table)[key] = std::string(scenario_between(state, 16, 1000), 'x');
    table->erase(scenario_random(state) % 2000);
  }
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t state = scenario_seed(argc, argv);
  auto store = std::make_unique<SessionStore>();
  store->reserve(4000000);  // 32 MB, untouched until used: no reallocation that would blur the truth
  std::unordered_map<uint64_t, std::string> table;
  double start = scenario_now();
  scenario_say("ready", "leak", &site, 1, "");
  while (scenario_working()) {
    for (int i = 0; i < 64; i++) {
      store->remember(scenario_random(&state));
      serve(&state, &table);
    }
    scenario_pace(start, store->bytes(), 12e6);
  }
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
