// SPDX-License-Identifier: Apache-2.0
// A program that writes its title over its arguments and environment: its forked child still records
// where it was told to.
// expect: recorded
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "own_recording.h"

namespace {
/// How many recordings there are in `directory`; removes them.
int take_recordings(const std::string& directory) {
  int count = 0;
  DIR* entries = opendir(directory.c_str());
  CHECK(entries);
  while (dirent* entry = readdir(entries))
    if (entry->d_name[0] != '.') count += unlink((directory + "/" + entry->d_name).c_str()) == 0;
  closedir(entries);
  return count;
}

/// The second life of this program: arguments and environment lie one after the other on the stack.
void write_title_and_fork(char** argv) {
  char* end = argv[0];
  for (char** text = argv; *text; ++text) end = *text + strlen(*text);
  for (char** text = environ; *text; ++text) end = *text + strlen(*text);
  for (char* at = argv[0]; at < end; ++at) *at = 'x';
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 1000; ++i) free(used(malloc(1000)));
    _exit(9);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 9);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    write_title_and_fork(argv);
    return 0;
  }
  char directory[] = "/tmp/offheap-record-XXXXXX";
  CHECK(mkdtemp(directory));
  pid_t child = fork();
  if (child == 0) {
    setenv("OFFHEAP_RECORD", directory, 1);
    execl("/proc/self/exe", argv[0], "child", static_cast<char*>(nullptr));
    _exit(1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(take_recordings(directory) == 2);
  rmdir(directory);
  puts("recorded");
}
