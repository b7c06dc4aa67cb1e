// SPDX-License-Identifier: Apache-2.0
// What else of libc hands out blocks, or keeps and frees them itself: streams, directories, patterns,
// addresses, locales, sorting, backtraces.
// env: OFFHEAP_SAMPLE=256
#include <argz.h>
#include <dirent.h>
#include <execinfo.h>
#include <glob.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <regex.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wordexp.h>

#include "check.h"

static int compare(const void* a, const void* b) { return memcmp(a, b, 4); }

static void streams(void) {
  char* text = NULL;
  size_t length = 0;
  FILE* memory = open_memstream(&text, &length);
  for (int i = 0; i < 10000; ++i) fprintf(memory, "%d ", i);
  CHECK(fclose(memory) == 0 && length == 48890 && strlen(text) == length);
  FILE* back = fmemopen(text, length, "r");
  char* field = NULL;
  size_t field_bytes = 0;
  CHECK(getdelim(&field, &field_bytes, ' ', back) == 2 && strcmp(field, "0 ") == 0);
  fclose(back);
  free(field);
  free(text);
  wchar_t* wide = NULL;
  FILE* wides = open_wmemstream(&wide, &length);
  CHECK(fputws(L"wide", wides) >= 0 && fclose(wides) == 0 && length == 4);
  free(wide);
  wide = wcsdup(L"again");
  free(wide);
}

static void files(void) {
  char* directory = getcwd(NULL, 0);
  CHECK(directory && directory[0] == '/');
  free(directory);
  struct dirent** names = NULL;
  int count = scandir("/proc/self", &names, NULL, alphasort);
  CHECK(count > 10);
  while (count) free(names[--count]);
  free(names);
  glob_t found;
  CHECK(glob("/proc/self/st*", 0, NULL, &found) == 0 && found.gl_pathc > 2);
  globfree(&found);
}

static void texts(void) {
  regex_t pattern;
  CHECK(regcomp(&pattern, "(a|b)*c+[[:digit:]]{2,30}", REG_EXTENDED) == 0);
  CHECK(regexec(&pattern, "ababcc1234", 0, NULL, 0) == 0);
  regfree(&pattern);
  wordexp_t words;
  CHECK(wordexp("one 'two three' four", &words, WRDE_NOCMD) == 0 && words.we_wordc == 3);
  wordfree(&words);
  char* list = NULL;
  size_t list_bytes = 0;
  CHECK(argz_create_sep("a:bc:def", ':', &list, &list_bytes) == 0 && argz_count(list, list_bytes) == 3);
  CHECK(argz_add(&list, &list_bytes, "more") == 0);
  free(list);
  free(strndup("a long text", 6));
}

static void services(void) {
  struct addrinfo* addresses = NULL;
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
  CHECK(getaddrinfo("127.0.0.1", "80", &hints, &addresses) == 0);
  freeaddrinfo(addresses);
  locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", NULL);
  CHECK(locale);
  freelocale(duplocale(locale));
  freelocale(locale);
  iconv_t converter = iconv_open("UTF-16", "UTF-8");
  CHECK(converter != (iconv_t)-1 && iconv_close(converter) == 0);
  posix_spawn_file_actions_t actions;
  CHECK(posix_spawn_file_actions_init(&actions) == 0);
  for (int i = 3; i < 60; ++i) CHECK(posix_spawn_file_actions_addclose(&actions, i) == 0);
  CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
}

int main(void) {
  streams();
  files();
  texts();
  services();
  static int numbers[100000];  // a quarter of a MiB and more: sorted through a block
  for (int i = 0; i < 100000; ++i) numbers[i] = i * 7919 % 100003;
  qsort(numbers, 100000, sizeof *numbers, compare);
  void* frames[20];
  int depth = backtrace(frames, 20);
  char** lines = backtrace_symbols(frames, depth);
  CHECK(depth > 0 && lines);
  free(lines);
  CHECK(setenv("A_NEW_VARIABLE", "with a value", 1) == 0 && unsetenv("A_NEW_VARIABLE") == 0);
  puts("done");
}
