// SPDX-License-Identifier: Apache-2.0
//
// The live-sample table against std::unordered_map under random work, from one thread and from many.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

#include "libshim/sampling/live_samples.h"
#include "tests/property/shim_recording.h"

namespace {

using recording::LiveSample;
using shim_test::OwnRecording;

LiveSample sample_of(uint64_t address, uint64_t turn) {
  LiveSample sample{};
  sample.requested_bytes = address ^ turn;
  sample.slack_bytes = static_cast<uint32_t>(turn);
  sample.site = static_cast<uint32_t>(address >> 4);
  sample.mean_bytes = 4096;
  sample.born_ms = static_cast<uint32_t>(turn * 3);
  return sample;
}

bool is_same(const LiveSample& a, const LiveSample& b) {
  return a.requested_bytes == b.requested_bytes && a.slack_bytes == b.slack_bytes && a.site == b.site &&
         a.mean_bytes == b.mean_bytes && a.born_ms == b.born_ms;
}

uint64_t used_slots(recording::Recording* recording) {
  uint64_t count = 0;
  for (uint64_t key : recording->live_samples.addresses) count += key != 0;
  return count;
}

// Addresses as an allocator hands them out: 16-byte strides over a heap, and far mappings.
uint64_t random_address(std::mt19937_64& random, uint64_t objects) {
  const uint64_t index = random() % objects;
  if (index % 7 == 0) return 0x7f0000000010 + index * 0x21000;
  return 0x555500000010 + index * 16;
}

void compare_with_model(uint64_t objects, uint64_t operations, uint32_t most_live) {
  OwnRecording recording;
  std::unordered_map<uint64_t, LiveSample> model;
  std::mt19937_64 random(objects);
  for (uint64_t turn = 1; turn <= operations; turn++) {
    const uint64_t address = random_address(random, objects);
    const auto known = model.find(address);
    LiveSample taken{};
    if (known != model.end()) {
      ASSERT_TRUE(shim::live_take(recording.get(), address, &taken));
      ASSERT_TRUE(is_same(taken, known->second));
      model.erase(known);
    } else {
      ASSERT_FALSE(shim::live_take(recording.get(), address, &taken));
      if (model.size() >= most_live) continue;
      const LiveSample sample = sample_of(address, turn);
      ASSERT_TRUE(shim::live_insert(recording.get(), address, sample));
      model.emplace(address, sample);
    }
    if (turn % 20000 == 0) {
      ASSERT_EQ(used_slots(recording.get()), model.size());
    }
  }
  EXPECT_EQ(recording->header.losses.live_sample_full_count, 0u);
}

TEST(ShimLiveSamples, small_heap_agrees_with_model) { compare_with_model(500, 200'000, 100'000); }
TEST(ShimLiveSamples, middle_heap_agrees_with_model) { compare_with_model(30'000, 300'000, 100'000); }
TEST(ShimLiveSamples, large_heap_agrees_with_model) { compare_with_model(220'000, 500'000, 100'000); }

TEST(ShimLiveSamples, few_samples_stay_in_the_first_generation) {
  OwnRecording recording;
  for (uint64_t i = 1; i <= 700; i++) {
    ASSERT_TRUE(shim::live_insert(recording.get(), i * 16, sample_of(i, i)));
  }
  EXPECT_EQ(recording->header.live_generation, 0u);
}

TEST(ShimLiveSamples, a_generation_fills_to_three_quarters_before_the_next) {
  OwnRecording recording;
  std::mt19937_64 random(7);
  uint32_t before = 0;
  uint64_t begin_of_generation = 0;
  for (uint64_t i = 0; i < 140'000; i++) {
    ASSERT_TRUE(shim::live_insert(recording.get(), (random() >> 20) & ~15ull, sample_of(i, i)));
    const uint32_t now = recording->header.live_generation;
    if (now == before) continue;
    EXPECT_EQ(now, before + 1);
    EXPECT_GT(static_cast<double>(i - begin_of_generation), 0.75 * recording::kGenerationSlots[before]);
    begin_of_generation = i;
    before = now;
  }
}

TEST(ShimLiveSamples, overfull_table_counts_every_loss_and_keeps_the_rest) {
  OwnRecording recording;
  std::vector<uint64_t> kept;
  uint64_t lost = 0;
  for (uint64_t i = 1; i <= recording::kLiveSampleCapacity + 20'000; i++) {
    const uint64_t address = i * 48;
    if (shim::live_insert(recording.get(), address, sample_of(address, i))) {
      kept.push_back(address);
    } else {
      lost++;
    }
  }
  EXPECT_GE(lost, 20'000u);
  EXPECT_EQ(recording->header.losses.live_sample_full_count, lost);
  EXPECT_GT(kept.size(), recording::kLiveSampleCapacity * 9 / 10);
  LiveSample taken{};
  for (uint64_t address : kept) ASSERT_TRUE(shim::live_take(recording.get(), address, &taken));
  EXPECT_EQ(used_slots(recording.get()), 0u);
}

// Each thread owns its addresses: nothing that others do may lose or change them.
TEST(ShimLiveSamples, threads_with_own_addresses_lose_nothing) {
  OwnRecording recording;
  std::atomic<uint64_t> wrong{0};
  const auto work = [&](uint64_t thread) {
    std::mt19937_64 random(thread);
    std::unordered_map<uint64_t, LiveSample> model;
    for (uint64_t turn = 1; turn <= 60'000; turn++) {
      const uint64_t address = (thread << 40) + random_address(random, 6000);
      LiveSample taken{};
      const bool was_taken = shim::live_take(recording.get(), address, &taken);
      const auto known = model.find(address);
      if (was_taken != (known != model.end())) wrong++;
      if (was_taken && known != model.end() && !is_same(taken, known->second)) wrong++;
      if (known != model.end()) {
        model.erase(known);
        continue;
      }
      const LiveSample sample = sample_of(address, turn);
      if (!shim::live_insert(recording.get(), address, sample)) wrong++;
      model.emplace(address, sample);
    }
    for (const auto& [address, sample] : model) {
      LiveSample taken{};
      if (!shim::live_take(recording.get(), address, &taken) || !is_same(taken, sample)) wrong++;
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t thread = 1; thread <= 4; thread++) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_EQ(used_slots(recording.get()), 0u);
}

// One pool of addresses, as malloc hands them on: freed by one thread, allocated by the next.
class Pool {
 public:
  explicit Pool(uint64_t count) {
    for (uint64_t i = 1; i <= count; i++) free_.push_back(i * 16);
  }
  uint64_t get() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return 0;
    const uint64_t address = free_.back();
    free_.pop_back();
    return address;
  }
  void put(uint64_t address) {
    const std::lock_guard lock(mutex_);
    free_.push_back(address);
  }

 private:
  std::mutex mutex_;
  std::vector<uint64_t> free_;
};

TEST(ShimLiveSamples, addresses_reused_across_threads_bring_their_own_record) {
  OwnRecording recording;
  Pool pool(300);
  std::atomic<uint64_t> wrong{0};
  const auto work = [&](uint64_t thread) {
    std::mt19937_64 random(thread);
    std::vector<std::pair<uint64_t, LiveSample>> mine;
    for (uint64_t turn = 1; turn <= 80'000; turn++) {
      if (random() % 2 == 0 && mine.size() < 100) {
        const uint64_t address = pool.get();
        if (address == 0) continue;
        const LiveSample sample = sample_of(address, (turn << 8) + thread);
        if (!shim::live_insert(recording.get(), address, sample)) wrong++;
        mine.emplace_back(address, sample);
      } else if (!mine.empty()) {
        std::swap(mine[random() % mine.size()], mine.back());
        LiveSample taken{};
        if (!shim::live_take(recording.get(), mine.back().first, &taken)) wrong++;
        if (!is_same(taken, mine.back().second)) wrong++;
        pool.put(mine.back().first);
        mine.pop_back();
      }
    }
    for (auto& [address, sample] : mine) {
      LiveSample taken{};
      if (!shim::live_take(recording.get(), address, &taken) || !is_same(taken, sample)) wrong++;
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t thread = 1; thread <= 4; thread++) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_EQ(used_slots(recording.get()), 0u);
}

// A thread stopped between claiming a slot and publishing it, by a signal or for good.
TEST(ShimLiveSamples, slots_being_written_are_left_alone) {
  OwnRecording recording;
  for (uint32_t i = 0; i < recording::kGenerationSlots[0]; i += 3) {
    recording->live_samples.addresses[i] = 1;
  }
  LiveSample taken{};
  for (uint64_t address = 16; address < 16 * 3000; address += 16) {
    ASSERT_TRUE(shim::live_insert(recording.get(), address, sample_of(address, 1)));
  }
  for (uint64_t address = 16; address < 16 * 3000; address += 16) {
    ASSERT_TRUE(shim::live_take(recording.get(), address, &taken));
  }
  EXPECT_FALSE(shim::live_take(recording.get(), 16, &taken));
  for (uint32_t i = 0; i < recording::kGenerationSlots[0]; i += 3) {
    ASSERT_EQ(recording->live_samples.addresses[i], 1u);
  }
}

}  // namespace
