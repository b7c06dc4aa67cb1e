// SPDX-License-Identifier: Apache-2.0
//
// offheap: the program. Errors are printed here and nowhere else.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "commands/command_line.h"
#include "render/sanitise.h"

namespace {

int report(const offheap::Error& error) {
  std::string text = "offheap: " + offheap::sanitise(error.what);
  if (!error.where.empty()) text += ": " + offheap::sanitise(error.where);
  text += '\n';
  if (!error.remedy.empty()) text += "  " + offheap::sanitise(error.remedy) + '\n';
  std::fputs(text.c_str(), stderr);
  return static_cast<int>(error.code);
}

}  // namespace

int main(int argument_count, char** arguments) {
  try {
    const auto code = offheap::run_command_line(argument_count, arguments);
    return code ? *code : report(code.error());
  } catch (const std::exception& problem) {
    return report({offheap::ErrorCode::kInternal, "internal error", problem.what(),
                   "please report it with the command line"});
  }
}
