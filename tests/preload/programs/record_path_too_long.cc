// SPDX-License-Identifier: Apache-2.0
// A directory whose name leaves no room for a file's: one line says so, and nothing is written
// elsewhere.
// stderr: errno 36
// backends: glibc -- the same for all
// expect: nothing written
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "check.h"

namespace {
int entries_of(const std::string& path) {
  int count = 0;
  DIR* directory = opendir(path.c_str());
  CHECK(directory);
  while (dirent* entry = readdir(directory)) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) return 17;
  char root[] = "/tmp/offheap-long-XXXXXX";
  CHECK(mkdtemp(root));
  std::string parent = std::string(root) + "/" + std::string(250, 'a');
  CHECK(mkdir(parent.c_str(), 0700) == 0);
  parent += "/" + std::string(250, 'b');
  CHECK(mkdir(parent.c_str(), 0700) == 0);
  std::string path = parent + "/" + std::string(200, 'c');
  CHECK(mkdir(path.c_str(), 0700) == 0);
  pid_t child = fork();
  if (child == 0) {
    setenv("OFFHEAP_RECORD", path.c_str(), 1);
    execl("/proc/self/exe", argv[0], "child", static_cast<char*>(nullptr));
    _exit(1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 17);
  puts(entries_of(path) == 0 && entries_of(parent) == 1 ? "nothing written" : "something written");
  CHECK(std::system(("rm -rf " + std::string(root)).c_str()) == 0);
}
