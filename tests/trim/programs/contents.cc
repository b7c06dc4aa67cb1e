// SPDX-License-Identifier: Apache-2.0
//
// A program whose memory is known: objects of two classes, strings that are repeated, UTF-16 text,
// random bytes and zero pages, each so many, in malloc's heap and in one mapping that it names.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace store {

class Order {
 public:
  explicit Order(std::uint64_t number) : number_(number) {}
  virtual ~Order() = default;
  [[nodiscard]] virtual std::uint64_t number() const { return number_; }

 private:
  std::uint64_t number_;
};

class RushOrder : public Order {
 public:
  using Order::Order;
  [[nodiscard]] std::uint64_t number() const override { return Order::number() + 1; }
};

}  // namespace store

namespace {

constexpr std::size_t kPage = 4096;
constexpr int kOrders = 3000;
constexpr int kRushOrders = 1000;
constexpr int kNotes = 500;

std::vector<store::Order*> orders;
std::vector<char*> notes;

[[gnu::noinline]] void fill_heap() {
  for (int i = 0; i < kOrders; ++i) orders.push_back(new store::Order(static_cast<std::uint64_t>(i)));
  for (int i = 0; i < kRushOrders; ++i)
    orders.push_back(new store::RushOrder(static_cast<std::uint64_t>(i)));
  for (int i = 0; i < kNotes; ++i) notes.push_back(strdup("a note that is in the heap 500 times"));
}

/// 64 pages: 16 of random bytes, 16 of zeros that were written, 16 with texts, 16 never touched.
std::uint8_t* fill_mapping() {
  auto* memory = static_cast<std::uint8_t*>(
      mmap(nullptr, 64 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  madvise(memory, 64 * kPage, MADV_NOHUGEPAGE);
  std::uint64_t random = 88172645463325252ULL;
  for (std::size_t i = 0; i < 16 * kPage; ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    memory[i] = static_cast<std::uint8_t>(random >> 32);
  }
  for (std::size_t i = 0; i < 16; ++i) memory[(16 + i) * kPage] = 1, memory[(16 + i) * kPage] = 0;
  for (std::size_t i = 0; i < 16 * kPage; i += 64)
    memcpy(memory + 32 * kPage + i, "customer=unknown;", 17);
  const std::string wide = "Schluessel";
  for (std::size_t i = 0; i < 100; ++i) {
    std::uint8_t* at = memory + 32 * kPage + i * 64 + 24;
    for (const char c : wide) {
      *at++ = static_cast<std::uint8_t>(c);
      *at++ = 0;
    }
  }
  return memory;
}

}  // namespace

int main() {
  fill_heap();
  const std::uint8_t* memory = fill_mapping();
  std::printf(
      "{\"ready\": true, \"range\": \"%lx-%lx\", \"orders\": %d, \"rush_orders\": %d, \"notes\": %d}\n",
      reinterpret_cast<unsigned long>(memory), reinterpret_cast<unsigned long>(memory + 64 * kPage),
      kOrders, kRushOrders, kNotes);
  std::fflush(stdout);
  char line[16];
  while (read(0, line, sizeof line) > 0) {
  }
  return orders.empty() ? 1 : 0;
}
