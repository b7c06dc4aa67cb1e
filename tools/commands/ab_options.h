// SPDX-License-Identifier: Apache-2.0
//
// From the options of `offheap ab` to a session, and back from kept rows to options.
#pragma once

#include <string>
#include <vector>

#include "ab/session.h"

namespace offheap {

inline constexpr const char* kDefaultEntries = "glibc glibc:arena_max=auto tcmalloc jemalloc";

/// As the command line has it. What says what is run is kept with the rows, to be run again.
struct AbAsked {
  std::string backends;
  std::vector<std::string> entries;
  std::size_t runs = 5;
  std::size_t warm_up = 1;
  std::string seed;
  std::string rows;
  std::string html;
  std::string from;
  std::string verify;
  std::string keep_output;
  bool json = false;
  // Kept:
  std::string measure;
  std::string timeout;
  std::string start;
  std::string ready;
  std::string ready_timeout = "30s";
  std::string load;
  std::string stop = "TERM";
  std::vector<std::string> parse;
  std::string image;
  std::string memory;
  std::vector<std::string> docker_arguments;
  std::vector<std::string> command;
};

/// An error of the command line.
Error usage(std::string what, std::string where, std::string remedy);

/// What is to be run, checked. `output_directory` of the request is left to the caller.
///
/// Errors: kUsage for every option that does not fit, naming it and what would.
Result<ab::Session> session_of(const AbAsked& asked);

/// The first line of a rows file. Starts a program that does nothing under each entry, to learn which
/// allocator answers.
ab::Json provenance_of(const AbAsked& asked, const ab::Session& session);

/// Takes from kept rows what was run, where `asked` says nothing else. Errors: kUsage when they do not
/// say.
Result<bool> take_request(const ab::Json& provenance, AbAsked& asked);

}  // namespace offheap
