// SPDX-License-Identifier: Apache-2.0
//
// The list of commands: each adds its subcommand with the options that it takes, and says what is done
// once they are parsed.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>

#include "apart/rights.h"
#include "base/result.h"

namespace offheap {

class Commands {
 public:
  /// What a command does; its value is the exit status. Called after the options were parsed.
  using Action = std::function<Result<int>()>;

  explicit Commands(CLI::App& app) : app_(app) {}

  /// A new subcommand, done with no more than `rights`. `action` may refer to what the returned
  /// command's options are bound to, if that lives as long as the program does.
  CLI::App* add(const std::string& name, const std::string& description, Rights rights, Action action) {
    commands_[name] = {rights, std::move(action)};
    return app_.add_subcommand(name, description);
  }

  /// Does what was asked for.
  Result<int> act() const {
    const Command& command = commands_.at(app_.get_subcommands().front()->get_name());
    keep_rights(command.rights);
    return command.action();
  }

 private:
  struct Command {
    Rights rights = kNoRights;
    Action action;
  };

  CLI::App& app_;
  std::map<std::string, Command> commands_;
};

/// The commands that have a file of their own, commands/<name>_command.cc.
void add_ab(Commands& commands);
void add_attach(Commands& commands);
void add_host(Commands& commands);
void add_oom(Commands& commands);
void add_peek(Commands& commands);
void add_incidents(Commands& commands);
void add_trim(Commands& commands);
void add_watch(Commands& commands);

/// Where `watch` keeps evidence, and `incidents` looks.
inline constexpr const char* kDefaultStore = "/var/lib/offheap/watch";

/// Whether standard output takes colours: a terminal, and NO_COLOR is not set.
bool colours_wanted();

/// To standard output, at once.
void print(const std::string& text);

}  // namespace offheap
