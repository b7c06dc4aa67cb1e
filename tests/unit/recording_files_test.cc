// SPDX-License-Identifier: Apache-2.0
//
// Recordings in files and in living memory: real files, and this very process's own memory.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "recording/reader.h"
#include "tests/unit/recording_builder.h"
#include "tests/unit/temporary_folder.h"

namespace offheap {
namespace {

using testing::RecordingBuilder;
namespace fs = std::filesystem;

class RecordingFiles : public ::testing::Test {
 protected:
  std::string write(const std::string& name, std::span<const std::byte> bytes) {
    std::string path = directory_ / name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  TemporaryFolder folder_;
  fs::path directory_ = folder_.path;
};

TEST_F(RecordingFiles, WrittenFile_ReadsBack) {
  auto snapshot = read_recording_file(write("a.offheap", RecordingBuilder::populated().image()));
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().what;
  EXPECT_EQ(snapshot->samples.size(), 64U);
}

TEST_F(RecordingFiles, EachObstacle_HasItsOwnError) {
  std::string real = write("a.offheap", RecordingBuilder().image());
  fs::create_symlink(real, directory_ / "link.offheap");
  ASSERT_EQ(mkfifo((directory_ / "fifo.offheap").c_str(), 0600), 0);
  struct {
    std::string path;
    ErrorCode code;
    std::string what;
  } cases[] = {
      {directory_ / "none", ErrorCode::kUnreadable, "there is no such recording"},
      {directory_, ErrorCode::kUnreadable, "this is a directory, not a recording"},
      {directory_ / "link.offheap", ErrorCode::kUnreadable, "the recording is a symbolic link"},
      {directory_ / "fifo.offheap", ErrorCode::kUnreadable, "this is no regular file"},
      {write("empty", {}), ErrorCode::kIncompatible,
       "not a recording: 0 bytes, less than its header's start"},
  };
  for (const auto& expected : cases) {
    auto snapshot = read_recording_file(expected.path);
    ASSERT_FALSE(snapshot.ok()) << expected.path;
    EXPECT_EQ(snapshot.error().code, expected.code) << expected.path;
    EXPECT_EQ(snapshot.error().what, expected.what);
    EXPECT_EQ(snapshot.error().where, expected.path);
  }
}

TEST_F(RecordingFiles, List_ShowsLatestFirstAndTheUnreadable) {
  RecordingBuilder old_one;
  RecordingBuilder new_one;
  new_one.raw().header.start_realtime_ns += 1;
  new_one.raw().header.pid = 5000;
  write("z-old.offheap", old_one.image());
  write("a-new.offheap", new_one.image());
  write("cut.offheap", old_one.image().first(100));
  write("notes.txt", old_one.image());
  auto list = list_recordings(directory_);
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].pid, 5000U);
  EXPECT_EQ((*list)[1].command, "server --port 80");
  EXPECT_EQ((*list)[1].process_start_ticks, 12345U);
  EXPECT_FALSE((*list)[2].readable);
  EXPECT_NE((*list)[2].problem.find("cut short"), std::string::npos) << (*list)[2].problem;
}

TEST_F(RecordingFiles, ListOfMissingDirectory_IsAnError) {
  EXPECT_EQ(list_recordings(directory_ / "none").error().code, ErrorCode::kUnreadable);
}

/// Reads this process by the same system call as any other; counts what it is asked for.
class OwnMemory : public MemoryReader {
 public:
  std::size_t read(Address address, std::span<std::byte> out) const override {
    iovec local{out.data(), out.size()};
    iovec remote{reinterpret_cast<void*>(address), out.size()};
    ssize_t count = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }

  std::vector<bool> resident_pages(Range range) const override {
    std::vector<unsigned char> resident(range.size() / kPageBytes);
    mincore(reinterpret_cast<void*>(range.begin), range.size(), resident.data());
    std::vector<bool> pages;
    for (unsigned char page : resident) pages.push_back((page & 1) != 0);
    return pages;
  }
};

/// A memfd with a recording of which only the pages that hold something were touched.
class LiveRecording : public ::testing::Test {
 protected:
  static constexpr std::size_t kBytes = sizeof(recording::Recording);

  void SetUp() override {
    int fd = memfd_create(recording::kMemfdName, MFD_CLOEXEC);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(ftruncate(fd, kBytes), 0);
    memory_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_NE(memory_, MAP_FAILED);
    fd_ = fd;
  }
  void TearDown() override {
    munmap(memory_, kBytes);
    close(fd_);
  }

  void touch(std::span<const std::byte> image) {
    for (std::size_t page = 0; page < kBytes; page += kPageBytes) {
      auto bytes = image.subspan(page, std::min<std::size_t>(kPageBytes, kBytes - page));
      bool used =
          std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
      if (used) std::memcpy(static_cast<std::byte*>(memory_) + page, bytes.data(), bytes.size());
    }
  }

  std::vector<Mapping> mappings() const {
    auto begin = reinterpret_cast<Address>(memory_);
    Bytes whole_pages = (kBytes + kPageBytes - 1) / kPageBytes * kPageBytes;
    Mapping mapping;
    mapping.range = {begin, begin + whole_pages};
    mapping.readable = mapping.writable = mapping.shared = mapping.deleted = true;
    mapping.path = "/memfd:offheap-recording";
    return {mapping};
  }

  recording::Recording& raw() { return *static_cast<recording::Recording*>(memory_); }
  Bytes file_bytes() const {
    struct stat status {};
    fstat(fd_, &status);
    return static_cast<Bytes>(status.st_blocks) * 512;
  }

  void* memory_ = nullptr;
  int fd_ = -1;
};

TEST_F(LiveRecording, Reading_LeavesUntouchedPagesUntouched) {
  touch(RecordingBuilder::populated().image());
  Bytes before = file_bytes();
  auto snapshot = read_live_recording(OwnMemory(), mappings());
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().what;
  EXPECT_EQ(snapshot->samples.size(), 64U);
  EXPECT_TRUE(snapshot->consistent);
  EXPECT_EQ(file_bytes(), before);
  EXPECT_LT(before, 256U * 1024);
}

TEST_F(LiveRecording, SwappedPages_AreReadAlthoughNotResident) {
  class NothingResident : public OwnMemory {
   public:
    std::vector<bool> resident_pages(Range range) const override {
      return std::vector<bool>(range.size() / kPageBytes, false);
    }
  };
  touch(RecordingBuilder::populated().image());
  std::vector<Mapping> swapped = mappings();
  swapped[0].swap_bytes = kPageBytes;
  auto snapshot = read_live_recording(NothingResident(), swapped);
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().what;
  EXPECT_EQ(snapshot->samples.size(), 64U);
}

TEST_F(LiveRecording, Jemalloc_FetchesTheThreadsOwnCounters) {
  std::uint64_t allocated = 9000;
  std::uint64_t stale = 1;
  RecordingBuilder builder(recording::BackendKind::kJemalloc);
  recording::ThreadSlot& slot = builder.add_thread(7, {});
  slot.jemalloc_allocated_at = reinterpret_cast<Address>(&allocated);
  slot.jemalloc_allocated_bytes = 5000;
  slot.jemalloc_deallocated_at = reinterpret_cast<Address>(&stale);  // smaller than published: not it
  slot.jemalloc_deallocated_bytes = 3000;
  touch(builder.image());
  auto snapshot = read_live_recording(OwnMemory(), mappings());
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().what;
  EXPECT_EQ(snapshot->allocated_bytes, 9000U);
  EXPECT_EQ(snapshot->freed_bytes, 3000U);
}

/// Ends a thread behind the reader's back: its counts move from its slot to the shared ones.
class ThreadEndsDuringCopy : public OwnMemory {
 public:
  ThreadEndsDuringCopy(recording::Recording* raw, int times) : raw_(raw), times_(times) {}
  std::size_t read(Address address, std::span<std::byte> out) const override {
    std::size_t count = OwnMemory::read(address, out);
    bool header_was_copied = address == reinterpret_cast<Address>(raw_) && out.size() >= kPageBytes;
    if (header_was_copied && times_ > 0) {
      --times_;
      raw_->header.folded.in_bytes += 100;
      raw_->header.folded.in_count += 1;
    }
    return count;
  }

 private:
  recording::Recording* raw_;
  mutable int times_;
};

TEST_F(LiveRecording, ThreadThatEndsDuringTheCopy_IsCountedOnce) {
  touch(RecordingBuilder(recording::BackendKind::kTcmalloc).image());
  auto snapshot = read_live_recording(ThreadEndsDuringCopy(&raw(), 1), mappings());
  ASSERT_TRUE(snapshot.ok());
  EXPECT_TRUE(snapshot->consistent);
  EXPECT_EQ(snapshot->allocated_bytes, 100U);
}

TEST_F(LiveRecording, ThreadsThatNeverStopEnding_AreSaidToMakeItInconsistent) {
  touch(RecordingBuilder(recording::BackendKind::kTcmalloc).image());
  auto snapshot = read_live_recording(ThreadEndsDuringCopy(&raw(), 1000), mappings());
  ASSERT_TRUE(snapshot.ok());
  EXPECT_FALSE(snapshot->consistent);
}

TEST(LiveRecordingMissing, ProcessWithout_SaysHowToGetOne) {
  auto snapshot = read_live_recording(OwnMemory(), {});
  ASSERT_FALSE(snapshot.ok());
  EXPECT_EQ(snapshot.error().code, ErrorCode::kUnreadable);
  EXPECT_NE(snapshot.error().remedy.find("offheap run"), std::string::npos);
}

TEST(LiveRecordingMissing, AllThreeKindsOfMapping_AreFound) {
  Mapping mapping;
  mapping.range = {0x7f0000000000, 0x7f0000800000};
  mapping.readable = true;
  for (const char* path : {"/memfd:offheap-recording", "[anon:offheap-recording]"}) {
    mapping.path = path;
    EXPECT_NE(find_recording({mapping}), nullptr) << path;
  }
  mapping.path = "/var/log/server-12-345.offheap";
  EXPECT_EQ(find_recording({mapping}), nullptr) << "a private mapping of a file is not the shim's";
  mapping.shared = true;
  EXPECT_NE(find_recording({mapping}), nullptr);
  mapping.range.end = mapping.range.begin + kPageBytes;
  EXPECT_EQ(find_recording({mapping}), nullptr) << "too small";
}

}  // namespace
}  // namespace offheap
