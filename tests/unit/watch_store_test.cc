// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "temporary_folder.h"
#include "watch/store.h"

namespace offheap {
namespace {

namespace fs = std::filesystem;

class WatchStore : public ::testing::Test {
 protected:
  Result<Store> open(Bytes bound = Bytes{1} << 30) const {
    return Store::open_for_agent(directory_.string(), bound);
  }
  mode_t mode_of(const fs::path& path) const {
    struct stat status {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 07777;
  }

  TemporaryFolder folder_;
  fs::path directory_ = folder_.path / "store";
};

std::string snapshot(std::uint64_t time_ns) { return entry_name(EntryKind::kSnapshot, time_ns, 7); }

TEST(WatchStoreNames, ComeBackAsTheyWere) {
  const auto entry =
      parse_entry_name(entry_name(EntryKind::kIncident, 1795871702000000000, 0x3f2c91d0aa110042));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->kind, EntryKind::kIncident);
  EXPECT_EQ(entry->time_ns, 1795871702000000000u);
  EXPECT_EQ(entry->group, 0x3f2c91d0aa110042u);
  EXPECT_EQ(entry->id(), "20261128-131502-3f2c91");
}

TEST(WatchStoreNames, ForeignNames_AreNone) {
  for (const char* name :
       {"", "lock", "state.json", "snapshot.json", "snapshot.1.2.json", "../etc/passwd",
        "snapshot.0000000000000000001.0000000000000007.json.partial.4",
        "snapshot.000000000000000000x.0000000000000007.json",
        "snapshot.0000000000000000001.000000000000000G.json",
        "snapshot.0000000000000000001.000000000000000A.json",
        "snapshot.99999999999999999990.000000000000007.json"})
    EXPECT_FALSE(parse_entry_name(name)) << name;
}

TEST(WatchStoreBound, TheOldestGo_AndNoMoreThanMust) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::vector<StoreEntry> entries(random() % 20);
    Bytes total = 0;
    for (StoreEntry& entry : entries) total += entry.bytes = random() % 5000;
    const Bytes bound = random() % 40'000;
    const std::size_t count = count_to_drop(entries, bound);
    Bytes left = total;
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_GT(left, bound) << "one more than needed was dropped";
      left -= entries[i].bytes;
    }
    EXPECT_LE(left, bound);
  }
}

TEST(WatchStoreNames, AnIncident_IsFoundByTheBeginningOfItsId) {
  std::vector<StoreEntry> entries;
  for (const std::uint64_t second : {1795871702u, 1795871703u}) {
    entries.push_back(*parse_entry_name(entry_name(EntryKind::kSnapshot, second * 1'000'000'000, 9)));
    entries.push_back(*parse_entry_name(entry_name(EntryKind::kIncident, second * 1'000'000'000, 9)));
  }
  EXPECT_EQ(find_entry(entries, "20261128-131502")->time_ns, 1795871702ULL * 1'000'000'000);
  EXPECT_EQ(find_entry(entries, "last")->time_ns, 1795871703ULL * 1'000'000'000);
  const auto both = find_entry(entries, "2026");
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().remedy.find("20261128-131502-000000, 20261128-131503-000000"),
            std::string::npos);
  EXPECT_FALSE(find_entry(entries, "1999"));
  EXPECT_FALSE(find_entry(entries, ""));
}

TEST_F(WatchStore, RightsAreTheOwnersOnly) {
  ::umask(0);
  auto store = open();
  ASSERT_TRUE(store) << store.error().what;
  ASSERT_TRUE(store->write(snapshot(1), "{}"));
  EXPECT_EQ(mode_of(directory_), 0700u);
  EXPECT_EQ(mode_of(directory_ / snapshot(1)), 0600u);
  EXPECT_EQ(mode_of(directory_ / "lock"), 0600u);
}

TEST_F(WatchStore, WhatWasThere_IsThereAfterARestart) {
  StoreState state;
  state.boot_id = "a";
  state.handled_us = 42;
  state.dropped = 3;
  {
    auto store = open();
    ASSERT_TRUE(store->write(snapshot(2), "two"));
    ASSERT_TRUE(store->write(snapshot(1), "one"));
    ASSERT_TRUE(store->write_state(state));
  }
  std::ofstream(directory_ / (snapshot(3) + ".partial.77")) << "half";
  auto store = open();
  ASSERT_TRUE(store);
  const auto entries = store->list();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(*store->read(entries[0].name), "one");
  EXPECT_EQ(*store->read(entries[1].name), "two");
  EXPECT_FALSE(fs::exists(directory_ / (snapshot(3) + ".partial.77")));
  EXPECT_EQ(store->read_state().handled_us, 42);
  EXPECT_EQ(store->read_state().dropped, 3u);
}

TEST_F(WatchStore, ASecondAgent_IsRefusedWithThePid) {
  const auto store = open();
  ASSERT_TRUE(store);
  const pid_t child = ::fork();  // a lock does not keep its own process out
  if (child == 0) {
    const auto second = open();
    const std::string holder = "(pid " + std::to_string(::getppid()) + ")";
    ::_exit(!second && second.error().code == ErrorCode::kUsage &&
                    second.error().what.find(holder) != std::string::npos
                ? 0
                : 1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(WatchStore, TheBound_DropsTheOldest) {
  auto store = open(4 * 4096);
  for (std::uint64_t i = 1; i <= 10; ++i) ASSERT_TRUE(store->write(snapshot(i), std::string(100, 'x')));
  EXPECT_EQ(store->drop_above_bound(), 6u);
  ASSERT_EQ(store->list().size(), 4u);
  EXPECT_EQ(store->list().front().time_ns, 7u);
}

TEST_F(WatchStore, ADirectoryThatCannotBeMade_IsSaid) {
  const auto store = Store::open_for_agent("/proc/offheap-store", 1);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnreadable);
  const auto missing = Store::open_for_reading((directory_ / "nothing").string());
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().remedy.find("--store"), std::string::npos);
}

TEST_F(WatchStore, LinksAndDirectories_AreNotRead) {
  auto store = open();
  fs::create_symlink("/etc/passwd", directory_ / snapshot(1));
  fs::create_directory(directory_ / snapshot(2));
  EXPECT_TRUE(store->list().empty());
  EXPECT_FALSE(store->read(snapshot(1)));
  EXPECT_FALSE(store->read(snapshot(2)));
}

TEST(WatchState, DamagedText_IsAsIfThereWereNone) {
  StoreState state;
  state.boot_id = "b";
  state.handled_us = 7;
  state.dropped = 9;
  const std::string whole = state_text(state);
  EXPECT_EQ(parse_state(whole).handled_us, 7);
  for (std::size_t i = 0; i + 2 < whole.size(); ++i) {
    const auto cut = parse_state(std::string_view(whole).substr(0, i));
    EXPECT_EQ(cut.handled_us, -1) << i;
    EXPECT_TRUE(cut.boot_id.empty()) << i;
  }
  EXPECT_EQ(parse_state(R"({"handled_us":"x","boot_id":3,"dropped":-1})").handled_us, -1);
}

}  // namespace
}  // namespace offheap
