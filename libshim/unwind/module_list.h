// SPDX-License-Identifier: Apache-2.0
//
// The question of find_object.h where libc has no answer: before glibc 2.35 everything that names
// modules takes the loader's lock, and a program may allocate while it holds that. So the loader's own
// list, which is there for debuggers, is read without it.
//
// What is remembered are hints only: where a module began when the list was last walked. The image that
// holds a pc of the calling thread's stack cannot go away meanwhile; its headers are read anew each
// time.
#pragma once

#include <link.h>

#include <cstdint>

namespace shim {

struct FoundObject;

/// Fills `out`, all but `map`, with the module that `pc` lies in. `pc` must lie in a frame of the
/// calling thread's own stack, or in no module. Not found: generated code, modules of other namespaces
/// (dlmopen), and, for the moment of another thread's dlclose, others. Thread: any, without locks.
/// Signal: safe. Alloc: none. errno: untouched. Source: <link.h> r_debug; glibc 2.31 elf/dl-object.c,
/// dl-close.c for the order in which the list changes.
bool find_listed_object(uint64_t pc, FoundObject* out);

/// The loader's description of the module at [begin, end), which stays where it is for as long as the
/// module is loaded; null if the list names none now. Thread: any, without locks. Signal: safe.
link_map* find_listed_map(uint64_t begin, uint64_t end);

/// The same for the first module whose file name begins with `start`, such as "libstdc++.so."; null
/// also when the list changes meanwhile. Thread: any, without locks. Signal: safe. Alloc: none.
link_map* find_listed_file(const char* start);

/// Whether the module at [begin, end) is gone for good; false also when the list changes meanwhile.
/// Thread: any, without locks. Signal: safe.
bool is_unlisted(uint64_t begin, uint64_t end);

/// Forgets all hints. After dlclose. Thread: any.
void forget_listed_objects();

/// False in a process whose loader shows no list.
bool has_module_list();

}  // namespace shim
