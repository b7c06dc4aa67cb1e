// SPDX-License-Identifier: Apache-2.0
#include "apart/apart.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <initializer_list>

#include "apart/rights.h"
#include "procfs/text_file.h"

namespace offheap {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kInstrumented = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kInstrumented = true;
#else
constexpr bool kInstrumented = false;
#endif
#else
constexpr bool kInstrumented = false;
#endif

constexpr int kInput = 3;
constexpr int kOutput = 4;

// ---- in the child

void limit(int resource, rlim_t most) {
  const rlimit both{most, most};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

/// Bytes of address space that this program has. Source: proc_pid_statm(5).
Bytes mapped_bytes() {
  const auto text = read_text(AT_FDCWD, "/proc/self/statm");
  Bytes pages = 0;
  if (!text || std::sscanf(text->c_str(), "%lu", &pages) != 1) return 0;
  return pages * kPageBytes;
}

void set_limits(const ApartLimits& limits) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.deadline).count();
  limit(RLIMIT_CPU, static_cast<rlim_t>(std::max<long>(1, seconds)));
  limit(RLIMIT_CORE, 0);
  if (kInstrumented) return;
  limit(RLIMIT_AS, mapped_bytes() + limits.memory_bytes);
  limit(RLIMIT_FSIZE, 0);
}

/// Nothing but `input` and `output`, at known numbers; a sanitizer keeps the one that it reports on.
bool keep_two_descriptors(int input, int output) {
  // Out of the way of the numbers first.
  input = ::fcntl(input, F_DUPFD, kOutput + 1);
  output = ::fcntl(output, F_DUPFD, kOutput + 1);
  if (input < 0 || output < 0) return false;
  if (::dup2(input, kInput) < 0 || ::dup2(output, kOutput) < 0) return false;
  for (int fd = 0; fd < kInput && !kInstrumented; ++fd) ::close(fd);
  if (::close_range(kOutput + 1, ~0u, 0) != 0)
    for (int fd = kOutput + 1; fd < 1024; ++fd) ::close(fd);
  return true;
}

scmp_arg_cmp argument_is(unsigned number, scmp_datum_t value) {
  return {number, SCMP_CMP_EQ, value, 0};
}

bool allow(scmp_filter_ctx filter, int call, std::initializer_list<scmp_arg_cmp> conditions) {
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, static_cast<unsigned>(conditions.size()),
                                conditions.begin()) == 0;
}

/// Reads the input, takes and gives back memory, writes the answer, ends.
bool allow_what_is_needed(scmp_filter_ctx filter) {
  for (const int call :
       {SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(munmap),
        SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(exit_group)})
    if (!allow(filter, call, {})) return false;
  // No code: what is mapped or made accessible may not be executable.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    if (!allow(filter, call, {scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}})) return false;
  // What fstat() is in newer C libraries, and how libelf asks whether a descriptor is open.
  return allow(filter, SCMP_SYS(newfstatat), {argument_is(0, kInput), argument_is(3, AT_EMPTY_PATH)}) &&
         allow(filter, SCMP_SYS(fcntl), {argument_is(1, F_GETFD)}) &&
         allow(filter, SCMP_SYS(write), {argument_is(0, kOutput)});
}

bool forbid_everything_else() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == nullptr) return false;
  const bool forbidden = allow_what_is_needed(filter) && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return forbidden;
}

bool write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(kOutput, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

[[noreturn]] void be_the_child(int input, int output, const std::function<std::string(int)>& work,
                               const ApartLimits& limits, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_DFL);
  if (!keep_two_descriptors(input, output)) ::_exit(1);
  ::prctl(PR_SET_DUMPABLE, 0);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(1);
  keep_rights(kNoRights);
  set_limits(limits);
  if (!kInstrumented && !forbid_everything_else()) ::_exit(1);
  ::_exit(write_all(work(kInput)) ? 0 : 1);
}

// ---- in the parent

/// Reads until the end; false at the deadline, or when there is too much.
bool read_answer(int fd, const ApartLimits& limits, std::string& answer) {
  const auto end = std::chrono::steady_clock::now() + limits.deadline;
  std::array<char, 1 << 16> part;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd wanted{fd, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    answer.append(part.data(), static_cast<std::size_t>(got));
    if (answer.size() > limits.answer_bytes) return false;
  }
}

}  // namespace

std::optional<std::string> work_apart(int input, const std::function<std::string(int input)>& work,
                                      const ApartLimits& limits) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  const Descriptor answers(ends[0]);
  Descriptor output(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) be_the_child(input, output.get(), work, limits, parent);
  if (child < 0) return std::nullopt;
  output = Descriptor();
  std::string answer;
  const bool whole = read_answer(answers.get(), limits, answer);
  if (!whole) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return answer;
}

}  // namespace offheap
