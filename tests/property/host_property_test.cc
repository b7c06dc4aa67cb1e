// SPDX-License-Identifier: Apache-2.0
//
// Tables that keep the heaviest, and the arena below them, against a model that keeps all.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "host/fixed.h"

namespace offheap::host {
namespace {

struct Row {
  std::uint64_t heavy = 0;
  std::uint64_t id = 0;
  [[nodiscard]] std::uint64_t weight() const { return heavy; }
};

std::vector<std::uint64_t> weights_of(std::span<const Row> rows) {
  std::vector<std::uint64_t> weights;
  for (const Row& row : rows) weights.push_back(row.heavy);
  std::sort(weights.rbegin(), weights.rend());
  return weights;
}

TEST(HostTables, HeaviestOfAnySequenceAreKept) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t room = random() % 40;
    const std::size_t count = random() % 200;
    const std::uint64_t spread = 1 + random() % 50;  // few weights: many are equal
    std::vector<Row> block(room);
    Table<Row> table{std::span(block)};
    std::vector<Row> model;
    for (std::size_t i = 0; i < count; ++i) {
      const Row row{random() % spread, i};
      table.push_heaviest(row);
      model.push_back(row);
    }
    std::vector<std::uint64_t> expected = weights_of(model);
    expected.resize(std::min(room, count));
    ASSERT_EQ(weights_of(table.rows()), expected) << "round " << round;
    ASSERT_EQ(table.size() + table.dropped(), count);
    // Each kept row is one that was pushed, and none is there twice.
    std::vector<std::uint64_t> ids;
    for (const Row& row : table.rows()) {
      ASSERT_EQ(model[row.id].heavy, row.heavy);
      ids.push_back(row.id);
    }
    std::sort(ids.begin(), ids.end());
    ASSERT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
  }
}

TEST(HostTables, PlainTableKeepsTheFirst) {
  std::array<Row, 3> block{};
  Table<Row> table{std::span<Row>(block)};
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(table.push({i, i}) != nullptr, i < 3);
  EXPECT_EQ(table.dropped(), 2u);
  EXPECT_EQ(table[2].id, 2u);
}

TEST(HostTables, ArenaGivesWhatIsThere_AlignedAndApart) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::byte> block(random() % 5000);
    Arena arena{std::span(block)};
    std::vector<std::span<std::byte>> given;
    std::vector<std::byte> marks;
    for (int i = 0; i < 30; ++i) {
      const auto mark = static_cast<std::byte>(i + 1);
      std::span<std::byte> bytes;
      if (random() % 2 == 0) {
        const auto rows = arena.array<Row>(random() % 30);
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(rows.data()) % alignof(Row), 0u);
        bytes = std::as_writable_bytes(rows);
      } else {
        const std::string text(random() % 200, 'x');
        const std::string_view kept = arena.keep(text);
        ASSERT_TRUE(std::string_view(text).starts_with(kept));
        bytes = std::span(reinterpret_cast<std::byte*>(const_cast<char*>(kept.data())), kept.size());
      }
      std::fill(bytes.begin(), bytes.end(), mark);
      given.push_back(bytes);
      marks.push_back(mark);
      ASSERT_LE(arena.used(), arena.size());
    }
    for (std::size_t i = 0; i < given.size(); ++i)
      for (const std::byte one : given[i]) ASSERT_EQ(one, marks[i]) << "two share memory";
  }
}

}  // namespace
}  // namespace offheap::host
