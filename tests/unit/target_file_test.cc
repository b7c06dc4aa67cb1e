// SPDX-License-Identifier: Apache-2.0
//
// Files of a target: links stay within its root, and nothing but a regular file is opened.
#include "apart/target_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace offheap {
namespace {

namespace fs = std::filesystem;

class TargetFile : public testing::Test {
 protected:
  TargetFile() {
    std::string name = (fs::temp_directory_path() / "offheap-root-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    fs::create_directories(root_ / "lib" / "deep");
    write(root_ / "lib" / "file", "inside");
    write(root_.string() + "-outside", "outside");
  }
  ~TargetFile() override {
    fs::remove_all(root_);
    fs::remove(root_.string() + "-outside");
  }

  static void write(const fs::path& path, const char* text) { std::ofstream(path) << text; }

  /// What stands at `path` of the root, or "" with errno set.
  std::string content(const std::string& path) {
    const Descriptor file = open_target_file(root_, path);
    std::string text(64, ' ');
    const ssize_t got = file.valid() ? ::read(file.get(), text.data(), text.size()) : 0;
    text.resize(static_cast<std::size_t>(got));
    return text;
  }

  fs::path root_;
};

TEST_F(TargetFile, PlainPath_IsRead) {
  EXPECT_EQ(content("/lib/file"), "inside");
  EXPECT_EQ(content("lib//./file"), "inside");
}

TEST_F(TargetFile, Links_AreFollowedWithinTheRoot) {
  fs::create_symlink("/lib/file", root_ / "lib" / "absolute");
  fs::create_symlink("../file", root_ / "lib" / "deep" / "relative");
  EXPECT_EQ(content("/lib/absolute"), "inside");
  EXPECT_EQ(content("/lib/deep/relative"), "inside");
}

TEST_F(TargetFile, WaysOut_AreNone) {
  const std::string outside = root_.string() + "-outside";
  fs::create_symlink(outside, root_ / "lib" / "out");
  fs::create_symlink("../../" + fs::path(outside).filename().string(), root_ / "lib" / "up");
  ASSERT_TRUE(open_target_file("", outside).valid());
  EXPECT_EQ(content("/lib/out"), "");
  EXPECT_EQ(content("/lib/up"), "");
  EXPECT_EQ(content("/../" + fs::path(outside).filename().string()), "");
  EXPECT_EQ(content(outside), "");
}

TEST_F(TargetFile, WhatIsNoFile_IsRefusedAtOnce) {
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  for (const char* path : {"/fifo", "/lib"}) {
    EXPECT_FALSE(open_target_file(root_, path).valid()) << path;
    EXPECT_EQ(errno, EINVAL) << path;
  }
  EXPECT_FALSE(open_target_file("", "/dev/null").valid());
  EXPECT_FALSE(open_target_file(root_, "/missing").valid());
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace offheap
