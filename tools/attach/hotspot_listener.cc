// SPDX-License-Identifier: Apache-2.0
//
// Order matters: the signal goes out only after the kernel said that it is caught, and after the
// trigger file lies where the JVM looks, since a JVM that finds no file prints a thread dump instead.
#include "attach/hotspot_listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

#include "attach/target_files.h"

namespace offheap {
namespace {

using Clock = std::chrono::steady_clock;

Error refuse(const Process& process, std::string what, std::string remedy) {
  return Error{ErrorCode::kUnreadable, std::move(what), fmt::format("pid {}", process.pid()),
               std::move(remedy)};
}

/// True when one of the places where a JVM takes options from says so, and no later one takes it back.
bool attach_is_disabled(const Process& process) {
  bool disabled = false;
  const auto read_words = [&disabled](const std::string& text) {
    const auto off = text.rfind("-XX:+DisableAttachMechanism");
    const auto on = text.rfind("-XX:-DisableAttachMechanism");
    if (off != std::string::npos && (on == std::string::npos || off > on)) disabled = true;
    if (on != std::string::npos && (off == std::string::npos || on > off)) disabled = false;
  };
  if (const auto environment = process.read_environ()) {
    for (const char* name : {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"}) {
      if (const auto variable = environment->find(name); variable != environment->end())
        read_words(variable->second);
    }
  }
  if (const auto words = process.read_cmdline()) {
    for (const std::string& word : *words) read_words(word);
  }
  return disabled;
}

/// A file that lies where it was made until this goes.
class TriggerFile {
 public:
  TriggerFile(Descriptor directory, std::string name, bool ours)
      : directory_(std::move(directory)), name_(std::move(name)), ours_(ours) {}
  TriggerFile(TriggerFile&& other) noexcept
      : directory_(std::move(other.directory_)),
        name_(std::move(other.name_)),
        ours_(std::exchange(other.ours_, false)) {}
  TriggerFile& operator=(TriggerFile&&) = delete;
  ~TriggerFile() {
    if (ours_) ::unlinkat(directory_.get(), name_.c_str(), 0);
  }

 private:
  Descriptor directory_;
  std::string name_;
  bool ours_;
};

/// The file must belong to the JVM's own user, or it is ignored.
bool make_trigger(int directory, const std::string& name, uid_t uid, gid_t gid) {
  const Descriptor file(
      ::openat(directory, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0660));
  if (!file.valid()) return false;
  // An error matters only if the owner is another one already; the JVM then ignores the file.
  if (uid != ::geteuid()) (void)!::fchown(file.get(), uid, gid);
  return true;
}

gid_t read_gid(const Process& process) {
  const auto fields = process.read_status();
  if (!fields || !fields->contains("Gid")) return ::getegid();
  const std::string& line = fields->at("Gid");
  const auto tab = line.find('\t');
  gid_t gid = ::getegid();
  if (tab != std::string::npos) std::from_chars(line.data() + tab + 1, line.data() + line.size(), gid);
  return gid;
}

Result<TriggerFile> place_trigger(const Process& process, const std::string& name) {
  const auto uid = process.read_uid();
  if (!uid) return uid.error();
  int code = 0;
  for (const bool in_working_directory : {true, false}) {
    auto directory = in_working_directory ? open_working_directory(process)
                                          : open_directory_in_target(process, "/tmp");
    if (!directory) return directory.error();
    const bool made = make_trigger(directory->get(), name, *uid, read_gid(process));
    code = errno;
    // One that exists is another attacher's, at the same work.
    if (made || code == EEXIST) return TriggerFile(std::move(*directory), name, made);
  }
  return refuse(process,
                fmt::format("no file can be made in the JVM's working directory or /tmp to ask it to "
                            "listen: {}",
                            std::strerror(code)),
                "give the container a writable /tmp (docker: --tmpfs /tmp), or attach once with jcmd "
                "from inside; a JVM that has been attached to before needs no such file");
}

Result<bool> check_catches_sigquit(const Process& process) {
  const auto fields = process.read_status();
  if (!fields) return fields.error();
  const auto caught = fields->find("SigCgt");
  if (caught != fields->end() && has_signal(caught->second, SIGQUIT)) return true;
  return refuse(process,
                "the JVM does not catch SIGQUIT and has no attach socket: the signal would end it",
                "it was started with -Xrs and its socket has been deleted, or it is still starting: "
                "try again in a few seconds; with -Xrs it takes a restart");
}

Result<bool> send_sigquit(const Process& process) {
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid(), 0)));
  if (process.exited()) return process.exit_error();  // after the open: the number is still its own
  const long sent = pidfd.valid() ? ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGQUIT, nullptr, 0)
                                  : ::kill(process.pid(), SIGQUIT);
  if (sent == 0) return true;
  return refuse(process, fmt::format("cannot send SIGQUIT: {}", std::strerror(errno)),
                missing_right(process));
}

}  // namespace

bool has_signal(std::string_view status_mask, int signal) {
  std::uint64_t mask = 0;
  const auto parsed =
      std::from_chars(status_mask.data(), status_mask.data() + status_mask.size(), mask, 16);
  if (parsed.ec != std::errc{} || signal < 1 || signal > 64) return false;
  return (mask >> (signal - 1) & 1) != 0;
}

Result<bool> check_is_hotspot(const Process& process) {
  const auto maps = process.read("maps");
  if (!maps) return maps.error();
  if (maps->find("/libjvm.so") == std::string::npos) {
    const bool is_openj9 = maps->find("/libj9vm") != std::string::npos;
    return refuse(process, is_openj9 ? "an OpenJ9 JVM; only HotSpot is known" : "not a Java process",
                  "offheap attach --inject puts the library in without the JVM's help");
  }
  if (attach_is_disabled(process))
    return refuse(
        process, "attaching is disabled: -XX:+DisableAttachMechanism",
        "offheap attach --inject puts the library in without the JVM's help; or start the JVM "
        "without that option, or under offheap run");
  return true;
}

Result<Descriptor> find_attach_socket(const Process& process, const std::string& socket_name) {
  auto directory = open_directory_in_target(process, "/tmp");
  if (!directory) return directory.error();
  Descriptor socket(::openat(directory->get(), socket_name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!socket.valid()) return Descriptor();
  const auto uid = process.read_uid();
  if (!uid) return uid.error();
  struct stat status {};
  if (::fstat(socket.get(), &status) != 0) return process.read_error("root", errno);
  if (!S_ISSOCK(status.st_mode) || status.st_uid != *uid)
    return Error{ErrorCode::kUnreadable, "what lies at the attach socket's place is not the JVM's",
                 fmt::format("/proc/{}/root/tmp/{}", process.pid(), socket_name),
                 "remove it and try again"};
  return socket;
}

Result<bool> ask_to_listen(const Process& process, const std::string& socket_name,
                           std::uint64_t deadline_ns) {
  if (const auto caught = check_catches_sigquit(process); !caught) return caught.error();
  const std::string number = socket_name.substr(socket_name.find("pid") + 3);
  const auto trigger = place_trigger(process, ".attach_pid" + number);
  if (!trigger) return trigger.error();
  if (const auto sent = send_sigquit(process); !sent) return sent.error();
  const auto deadline = Clock::now() + std::chrono::nanoseconds(deadline_ns);
  while (Clock::now() < deadline) {
    const auto socket = find_attach_socket(process, socket_name);
    if (!socket) return socket.error();
    if (socket->valid()) return true;
    if (process.exited()) return process.exit_error();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return refuse(
      process, "the JVM did not open its attach socket in time",
      "it may be stopped, out of CPU quota or in a long safepoint; if it printed a thread dump, "
      "attaching is disabled or its /tmp is not the one seen from here");
}

}  // namespace offheap
