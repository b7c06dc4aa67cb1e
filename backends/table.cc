// SPDX-License-Identifier: Apache-2.0
//
// The table of backends and the choice among them.
#include "backends/table.h"

#include <string.h>

namespace backends {

const Entry kTable[] = {
    {"next", initialise_next, "what comes after libshim.so in link order, as it is (default)"},
    {"glibc", initialise_glibc, "glibc's malloc, whatever else is preloaded"},
    {"tcmalloc", initialise_tcmalloc, "gperftools' tcmalloc_minimal, embedded"},
    {"jemalloc", initialise_jemalloc, "jemalloc, embedded"},
};
const size_t kTableSize = sizeof kTable / sizeof kTable[0];

namespace {

const Entry* find(const char* name) {
  for (const Entry& entry : kTable) {
    if (strcmp(entry.name, name) == 0) return &entry;
  }
  return nullptr;
}

void complain_unknown(const char* name, Text& complaint) {
  complaint.line() << "OFFHEAP_BACKEND=" << name << " is not a backend; known are";
  for (const Entry& entry : kTable) complaint << " " << entry.name << ",";
  complaint << " and a path with a slash; using next";
}

}  // namespace

const Backend* choose(const Choice& choice, char* complaint, size_t complaint_bytes) {
  Text text(complaint, complaint_bytes);
  const char* name = choice.backend;
  if (name == nullptr || *name == '\0') return initialise_next();
  if (const Entry* entry = find(name)) return entry->initialise();
  if (strchr(name, '/') == nullptr) {
    complain_unknown(name, text);
    return initialise_next();
  }
  const Backend* backend = initialise_path(name, text);
  return backend != nullptr ? backend : initialise_next();
}

}  // namespace backends
