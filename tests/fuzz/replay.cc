// SPDX-License-Identifier: Apache-2.0
//
// Drives a fuzzer without libFuzzer, with any compiler: first the kept corpus, then a fixed number of
// mutations of it from a fixed seed, so that every machine runs the same inputs. The input that is
// being run stands in a file beside the program until it has passed; after a crash it is still there.
//
//   NAME_fuzzer CORPUS_FOLDER MUTATIONS [SEED]
//   NAME_fuzzer CORPUS_FOLDER SECONDSs [SEED]     as many as fit in that much CPU time
//   NAME_fuzzer FILE
//
// The seed "today" is another one every day.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "fuzz.h"

namespace {

namespace fs = std::filesystem;
using Input = std::vector<std::uint8_t>;

constexpr std::size_t kLongestInput = 4096;
constexpr std::uint64_t kDefaultSeed = 1;

Input read_input(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  fuzz::require(file.good(), "the file can be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The input under test, kept where a crash leaves it.
class LastInput {
 public:
  explicit LastInput(std::string path)
      : path_(std::move(path)), fd_(open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644)) {
    fuzz::require(fd_ >= 0, "the file for the last input can be made");
  }
  ~LastInput() {
    close(fd_);
    unlink(path_.c_str());
  }
  LastInput(const LastInput&) = delete;
  LastInput& operator=(const LastInput&) = delete;

  void run(const Input& input) const {
    fuzz::require(ftruncate(fd_, 0) == 0 &&
                      pwrite(fd_, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()),
                  "the last input can be kept");
    // A copy of its exact size, so that a sanitizer sees its end.
    const Input exact(input.begin(), input.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  }

 private:
  std::string path_;
  int fd_;
};

class Mutator {
 public:
  Mutator(const std::vector<Input>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

  Input next() {
    Input input = corpus_[below(corpus_.size())];
    for (std::size_t i = 1 + below(8); i > 0; --i) mutate(&input);
    input.resize(std::min(input.size(), kLongestInput));
    return input;
  }

 private:
  // Not std::uniform_int_distribution: its results differ from library to library.
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  static auto place(Input* input, std::size_t at) {
    return input->begin() + static_cast<std::ptrdiff_t>(at);
  }

  void insert(Input* input, std::string_view text) {
    input->insert(place(input, below(input->size() + 1)), text.begin(), text.end());
  }

  void mutate(Input* input) {
    switch (below(8)) {
      case 0:
        if (!input->empty()) (*input)[below(input->size())] ^= static_cast<std::uint8_t>(1 << below(8));
        break;
      case 1:
        if (!input->empty()) (*input)[below(input->size())] = static_cast<std::uint8_t>(random_());
        break;
      case 2:
        overwrite_with_number(input);
        break;
      case 3:
        insert(input, kWords[below(kWords.size())]);
        break;
      case 4:
        erase(input);
        break;
      case 5:
        splice(input);
        break;
      default:
        append_patch(input);
    }
  }

  std::uint64_t number() {
    const std::uint64_t power = std::uint64_t{1} << below(64);
    switch (below(4)) {
      case 0:
        return power;
      case 1:
        return power - 1;
      case 2:
        return ~std::uint64_t{0} - below(16);
      default:
        return below(64);
    }
  }

  void overwrite_with_number(Input* input) {
    const std::uint64_t value = number();
    const std::size_t width = std::size_t{1} << below(4);
    if (input->size() >= width)
      std::memcpy(input->data() + below(input->size() - width + 1), &value, width);
  }

  void erase(Input* input) {
    const std::size_t from = below(input->size() + 1);
    const std::size_t count = below(std::min<std::size_t>(32, input->size() - from) + 1);
    input->erase(place(input, from), place(input, from + count));
  }

  /// This one's beginning and another one's end.
  void splice(Input* input) {
    const Input& other = corpus_[below(corpus_.size())];
    input->resize(below(input->size() + 1));
    const std::size_t from = below(other.size() + 1);
    input->insert(input->end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
  }

  /// Sixteen bytes as fuzz.h's patches are, with a number for a value.
  void append_patch(Input* input) {
    const std::array<std::uint64_t, 2> patch = {random_(), number()};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(patch.data());
    input->insert(input->end(), bytes, bytes + sizeof patch);
  }

  static constexpr std::array<std::string_view, 18> kWords = {"\n",
                                                              ":",
                                                              "=",
                                                              "-",
                                                              " ",
                                                              "/",
                                                              "*",
                                                              ",",
                                                              ".",
                                                              "\\012",
                                                              "\\",
                                                              " - ",
                                                              "max",
                                                              "-1",
                                                              "18446744073709551615",
                                                              "ffffffffffffffff",
                                                              "99999999999999999999",
                                                              std::string_view("\0", 1)};

  const std::vector<Input>& corpus_;
  std::mt19937_64 random_;
};

std::vector<Input> run_corpus(const fs::path& folder, const LastInput& last) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Input> corpus;
  for (const fs::path& path : paths) {
    corpus.push_back(read_input(path));
    last.run(corpus.back());
  }
  return corpus;
}

/// "600s" is a bound on CPU time, "600" on mutations.
class Amount {
 public:
  explicit Amount(const char* text) {
    char* end = nullptr;
    number_ = std::strtoull(text, &end, 10);
    is_seconds_ = *end == 's';
  }

  [[nodiscard]] bool has_room_for(std::uint64_t ran) const {
    return is_seconds_ ? static_cast<std::uint64_t>(std::clock()) < number_ * CLOCKS_PER_SEC
                       : ran < number_;
  }

 private:
  std::uint64_t number_ = 0;
  bool is_seconds_ = false;
};

std::uint64_t seed_of(const char* text) {
  constexpr std::time_t kDay_s = 86'400;
  if (std::string_view(text) == "today") return static_cast<std::uint64_t>(std::time(nullptr) / kDay_s);
  return std::strtoull(text, nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER MUTATIONS|SECONDSs [SEED] | FILE\n", argv[0]);
    return 2;
  }
  if (fs::is_regular_file(argv[1])) {
    const Input input = read_input(argv[1]);
    LLVMFuzzerTestOneInput(input.data(), input.size());
    return 0;
  }
  const Amount wanted(argc > 2 ? argv[2] : "0");
  const std::uint64_t seed = argc > 3 ? seed_of(argv[3]) : kDefaultSeed;
  const std::string last_path = fs::path(argv[0]).filename().string() + ".last-input";
  std::printf("seed %" PRIu64 "; the input under test stands in %s\n", seed,
              fs::absolute(last_path).c_str());
  std::fflush(stdout);
  const LastInput last(last_path);
  const std::vector<Input> corpus = run_corpus(argv[1], last);
  fuzz::require(!corpus.empty(), "the corpus has a file");
  Mutator mutator(corpus, seed);
  std::uint64_t ran = 0;
  for (; wanted.has_room_for(ran); ++ran) last.run(mutator.next());
  std::printf("passed: %zu corpus files, %" PRIu64 " mutations, seed %" PRIu64 "\n", corpus.size(), ran,
              seed);
  return 0;
}
