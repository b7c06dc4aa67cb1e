// SPDX-License-Identifier: Apache-2.0
//
// Preloaded before the shim and loaded as an agent too: every so many bytes of allocation it follows
// the Java stack twice, with the shim's own walk and with HotSpot's AsyncGetCallTrace, inside malloc as
// the shim does, and compares frame by frame. At exit it prints what came of it, one "name number" a
// line.
#include "oracle.h"

#include <dlfcn.h>
#include <jvmti.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "libshim/java/code_cache.h"
#include "libshim/java/compiled_code.h"
#include "libshim/java/memory.h"
#include "libshim/java/names.h"
#include "libshim/java/thread.h"
#include "libshim/unwind/find_object.h"

extern "C" void* __libc_malloc(size_t);
extern "C" void* __libc_calloc(size_t, size_t);
extern "C" void* __libc_realloc(void*, size_t);

namespace {

using java_oracle::CallFrame;
using java_oracle::CallTrace;
using java_oracle::Verdict;

constexpr int64_t kEveryBytes = 8192;
constexpr int32_t kMostFrames = recording::kMaxJavaFrames + 64;
constexpr uint32_t kPrinted = 12;

enum Readiness : uint32_t { kNoVm, kSeekingKey, kSeeking, kReady };

JavaVM* java_vm;
shim::VmLayout layout;
shim::ThreadKey thread_key;
uint32_t readiness = kNoVm;
void (*async_get_call_trace)(CallTrace*, int32_t, void*);
recording::Recording* names;
uint64_t counts[java_oracle::kVerdicts];
uint64_t strayed_count;
uint64_t wrong_name_count;
uint32_t printed;

[[gnu::tls_model("initial-exec")]] thread_local int64_t countdown = kEveryBytes;
[[gnu::tls_model("initial-exec")]] thread_local bool inside = false;

// How many of our frames belong to the compiled frame that a stub, which is topmost, was called from.
uint32_t top_frames(uint64_t thread) {
  const uint64_t anchor = thread + layout.thread_anchor;
  uint64_t sp = shim::pointer_at(anchor + layout.anchor_sp);
  uint64_t pc = shim::pointer_at(anchor + layout.anchor_pc);
  if (sp == 0) return 0;
  if (pc == 0) pc = shim::pointer_at(sp - 8);
  shim::Code code = shim::find_code(layout, pc);
  if (code.kind != shim::CodeKind::kStub || code.frame_bytes < 16) return 0;
  sp += code.frame_bytes;
  pc = shim::pointer_at(sp - 8);
  code = shim::find_code(layout, pc);
  if (code.kind != shim::CodeKind::kCompiled) return 0;
  uint64_t slot = 0;
  if (shim::is_deoptimised(layout, code.blob, pc, sp, &slot)) pc = shim::pointer_at(slot);
  shim::MethodAt methods[64];
  bool truncated = false;
  return shim::methods_at(layout, code.blob, pc, methods, 64, &truncated);
}

// The name as the recording has it, against the VM's own symbols.
bool is_named_right(uint64_t method) {
  const uint32_t id = shim::name_of_method(names, layout, method);
  if (id == recording::kNoJavaName) return true;
  const recording::JavaName& entry = names->java_names[id];
  const uint64_t constant = shim::pointer_at(method + layout.method_const);
  const uint64_t pool = shim::pointer_at(constant + layout.const_pool);
  const uint16_t index = shim::read_at<uint16_t>(constant + layout.const_name);
  const uint64_t symbol = shim::pointer_at(pool + layout.pool_bytes + index * 8ull) & ~1ull;
  const uint64_t length = shim::read_at<uint16_t>(symbol + layout.symbol_length);
  if (length >= entry.length) return length > 90;  // cut
  const char* text = names->java_name_text + entry.begin;
  const uint64_t klass = shim::pointer_at(pool + layout.pool_holder);
  const uint64_t type = shim::pointer_at(klass + layout.klass_name);
  const uint64_t type_length = entry.length - length - 1;
  return memcmp(text + type_length + 1, reinterpret_cast<void*>(symbol + layout.symbol_body), length) ==
             0 &&
         (type_length > 150 ||
          memcmp(text, reinterpret_cast<void*>(type + layout.symbol_body), type_length) == 0);
}

void print_difference(Verdict verdict, const shim::JavaStack& ours, const CallTrace& theirs,
                      uint64_t thread) {
  if (__atomic_fetch_add(&printed, 1, __ATOMIC_RELAXED) >= kPrinted) return;
  fprintf(stderr, "verdict %d, state %u, our end %d\n", static_cast<int>(verdict),
          shim::read_at<uint32_t>(thread + layout.thread_state), static_cast<int>(ours.end));
  for (uint32_t i = 0; i < ours.count || static_cast<int32_t>(i) < theirs.count; i++) {
    char mine[300] = "-";
    if (i < ours.count) {
      const shim::JavaFrame& frame = ours.frames[i];
      const recording::JavaName* name =
          frame.method != 0 ? &names->java_names[shim::name_of_method(names, layout, frame.method)]
                            : nullptr;
      snprintf(mine, sizeof mine, "%.*s kind %u bci %u", name ? static_cast<int>(name->length) : 0,
               name ? names->java_name_text + name->begin : "", frame.kind, frame.bci);
    }
    uint64_t method = 0;
    if (static_cast<int32_t>(i) < theirs.count && theirs.frames[i].method)
      method = *theirs.frames[i].method;
    const recording::JavaName* other =
        method ? &names->java_names[shim::name_of_method(names, layout, method)] : nullptr;
    fprintf(stderr, "  %-70s | %.*s %d\n", mine, other ? static_cast<int>(other->length) : 1,
            other ? names->java_name_text + other->begin : "-",
            static_cast<int32_t>(i) < theirs.count ? theirs.frames[i].bci : 0);
  }
}

[[gnu::noinline]] void compare_here() {
  uint32_t expected = kSeekingKey;
  if (__atomic_load_n(&readiness, __ATOMIC_ACQUIRE) == kSeekingKey &&
      __atomic_compare_exchange_n(&readiness, &expected, kSeeking, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_RELAXED)) {
    const bool found = shim::find_thread_key(layout, &thread_key);
    __atomic_store_n(&readiness, found ? kReady : kSeekingKey, __ATOMIC_RELEASE);
  }
  if (__atomic_load_n(&readiness, __ATOMIC_ACQUIRE) != kReady) return;
  const uint64_t thread = shim::java_thread(layout, thread_key);
  if (thread == 0) return;
  static_assert(sizeof(CallFrame) == 16);
  CallFrame frames[kMostFrames];
  CallTrace theirs{nullptr, 0, frames};
  if (java_vm->GetEnv(&theirs.environment, JNI_VERSION_1_6) != JNI_OK) return;
  async_get_call_trace(&theirs, kMostFrames, nullptr);
  shim::JavaStack ours;
  shim::walk_java(layout, thread, &ours);
  const Verdict verdict = java_oracle::compare(ours, theirs, top_frames(thread));
  __atomic_fetch_add(&counts[static_cast<uint32_t>(verdict)], 1, __ATOMIC_RELAXED);
  if (ours.end == shim::WalkEnd::kStrayed) __atomic_fetch_add(&strayed_count, 1, __ATOMIC_RELAXED);
  if (verdict >= Verdict::kOnlyVm) print_difference(verdict, ours, theirs, thread);
  for (uint32_t i = 0; i < ours.count; i++) {
    if (ours.frames[i].method != 0 && !is_named_right(ours.frames[i].method))
      __atomic_fetch_add(&wrong_name_count, 1, __ATOMIC_RELAXED);
  }
}

void count_bytes(size_t bytes) {
  countdown -= static_cast<int64_t>(bytes);
  if (countdown > 0 || inside) return;
  countdown = kEveryBytes;
  inside = true;
  compare_here();
  inside = false;
}

void* (*next_malloc)(size_t);
void* (*next_calloc)(size_t, size_t);
void* (*next_realloc)(void*, size_t);

[[gnu::constructor]] void resolve() {
  next_calloc = reinterpret_cast<void* (*)(size_t, size_t)>(dlsym(RTLD_NEXT, "calloc"));
  next_realloc = reinterpret_cast<void* (*)(void*, size_t)>(dlsym(RTLD_NEXT, "realloc"));
  next_malloc = reinterpret_cast<void* (*)(size_t)>(dlsym(RTLD_NEXT, "malloc"));
}

// The VM gives a method its id when it is asked for the first time, which AsyncGetCallTrace does not
// do.
void give_ids(jvmtiEnv* jvmti, jclass type) {
  jint count = 0;
  jmethodID* methods = nullptr;
  if (jvmti->GetClassMethods(type, &count, &methods) == JVMTI_ERROR_NONE)
    jvmti->Deallocate(reinterpret_cast<unsigned char*>(methods));
}

void JNICALL on_class_load(jvmtiEnv*, JNIEnv*, jthread, jclass) {
}  // AsyncGetCallTrace wants it enabled

void JNICALL on_class_prepare(jvmtiEnv* jvmti, JNIEnv*, jthread, jclass type) { give_ids(jvmti, type); }

void JNICALL on_vm_init(jvmtiEnv* jvmti, JNIEnv*, jthread) {
  jint count = 0;
  jclass* classes = nullptr;
  if (jvmti->GetLoadedClasses(&count, &classes) != JVMTI_ERROR_NONE) return;
  for (jint i = 0; i < count; i++) give_ids(jvmti, classes[i]);
  jvmti->Deallocate(reinterpret_cast<unsigned char*>(classes));
  __atomic_store_n(&readiness, kSeekingKey, __ATOMIC_RELEASE);
}

[[gnu::destructor]] void report() {
  static const char* const kNames[] = {"both_none",     "equal",   "only_ours",    "frozen",
                                       "next_bytecode", "only_vm", "vm_only_lost", "different"};
  if (readiness == kNoVm) return;
  for (uint32_t i = 0; i < java_oracle::kVerdicts; i++)
    fprintf(stderr, "oracle %s %lu\n", kNames[i], static_cast<unsigned long>(counts[i]));
  fprintf(stderr, "oracle strayed %lu\n", static_cast<unsigned long>(strayed_count));
  fprintf(stderr, "oracle wrong_names %lu\n", static_cast<unsigned long>(wrong_name_count));
}

}  // namespace

extern "C" {

void* malloc(size_t bytes) {
  count_bytes(bytes);
  return next_malloc ? next_malloc(bytes) : __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) {
  count_bytes(count * bytes);
  return next_calloc ? next_calloc(count, bytes) : __libc_calloc(count, bytes);
}

void* realloc(void* block, size_t bytes) {
  count_bytes(bytes);
  return next_realloc ? next_realloc(block, bytes) : __libc_realloc(block, bytes);
}

JNIEXPORT jint JNICALL Agent_OnLoad(JavaVM* vm, char*, void*) {
  shim::FoundObject object;
  char missing[48] = "";
  const auto inside_vm = reinterpret_cast<uint64_t>(vm->functions->GetEnv);
  if (!shim::find_object(inside_vm, &object)) return JNI_ERR;
  const auto state = shim::read_vm_layout(object.map, reinterpret_cast<uint64_t>(object.map_begin),
                                          reinterpret_cast<uint64_t>(object.map_end), &layout, missing);
  if (state != recording::JavaFrames::kWaiting) {
    fprintf(stderr, "oracle: no layout, state %u, missing %s\n", static_cast<unsigned>(state), missing);
    return JNI_ERR;
  }
  async_get_call_trace = reinterpret_cast<void (*)(CallTrace*, int32_t, void*)>(
      dlsym(dlopen(object.map->l_name, RTLD_NOW | RTLD_NOLOAD), "AsyncGetCallTrace"));
  names = static_cast<recording::Recording*>(calloc(1, sizeof(recording::Recording)));
  jvmtiEnv* jvmti = nullptr;
  if (!async_get_call_trace || !names ||
      vm->GetEnv(reinterpret_cast<void**>(&jvmti), JVMTI_VERSION_1_2) != JNI_OK)
    return JNI_ERR;
  java_vm = vm;
  jvmtiEventCallbacks callbacks{};
  callbacks.VMInit = on_vm_init;
  callbacks.ClassLoad = on_class_load;
  callbacks.ClassPrepare = on_class_prepare;
  jvmti->SetEventCallbacks(&callbacks, sizeof callbacks);
  for (jvmtiEvent event : {JVMTI_EVENT_VM_INIT, JVMTI_EVENT_CLASS_LOAD, JVMTI_EVENT_CLASS_PREPARE})
    jvmti->SetEventNotificationMode(JVMTI_ENABLE, event, nullptr);
  return JNI_OK;
}

}  // extern "C"
