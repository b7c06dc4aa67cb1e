// SPDX-License-Identifier: Apache-2.0
//
// The HotSpot reader over a small image of a JVM, whole and damaged.
#include "hotspot/hotspot.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

#include "hotspot/unsigned5.h"

namespace offheap {
namespace {

constexpr Address kBase = 0x7f0000000000;
constexpr Bytes kImageBytes = 64 << 10;
constexpr Address kHeapBase = 0xf0000000;

/// libjvm.so as one mapping: ELF header, dynamic tables, vmStructs, statics.
class JvmImage : public MemoryReader {
 public:
  JvmImage() : bytes_(kImageBytes) {
    put_tables();
    put_elf();
  }

  std::size_t read(Address address, std::span<std::byte> out) const override {
    if (address < kBase || address >= kBase + bytes_.size()) return 0;
    const auto count = std::min<std::size_t>(out.size(), kBase + bytes_.size() - address);
    std::memcpy(out.data(), bytes_.data() + (address - kBase), count);
    return count;
  }
  std::vector<bool> resident_pages(Range range) const override {
    return std::vector<bool>((range.size() + kPageBytes - 1) / kPageBytes, true);
  }

  std::vector<std::byte>& bytes() { return bytes_; }
  static std::vector<Mapping> mappings() {
    Mapping library;
    library.range = {kBase, kBase + kImageBytes};
    library.readable = library.writable = true;
    library.path = "/jdk/lib/server/libjvm.so";
    Mapping heap;
    heap.range = {kHeapBase, kHeapBase + (16 << 20)};
    heap.readable = heap.writable = true;
    return {heap, library};
  }

 private:
  template <typename T>
  Address put(const T& value) {
    at_ = (at_ + 15) & ~std::size_t{15};
    std::memcpy(bytes_.data() + at_, &value, sizeof value);
    at_ += sizeof value;
    return kBase + at_ - sizeof value;
  }
  Address put_text(const std::string& text) {
    at_ = (at_ + 15) & ~std::size_t{15};
    std::memcpy(bytes_.data() + at_, text.c_str(), text.size() + 1);
    at_ += text.size() + 1;
    return kBase + at_ - text.size() - 1;
  }
  void export_word(const std::string& name, std::uint64_t value) {
    exports_.push_back({name, put(value)});
  }

  struct Field {
    const char* type;
    const char* name;
    std::uint64_t is_static, offset, address;
  };

  void put_tables() {
    at_ = 16 << 10;
    const Address heap = put(std::array<std::uint64_t, 8>{0, 0, kHeapBase, (16 << 20) / 8, 0, 0, 0, 0});
    const Address heap_static = put(heap);
    const Address release = put(put_text("21.0.2+13-LTS"));
    std::vector<std::array<std::uint64_t, 6>> entries;
    for (const Field& field :
         {Field{"Universe", "_collectedHeap", 1, 0, heap_static},
          Field{"Abstract_VM_Version", "_s_vm_release", 1, 0, release},
          Field{"CollectedHeap", "_reserved", 0, 16, 0}, Field{"MemRegion", "_start", 0, 0, 0},
          Field{"MemRegion", "_word_size", 0, 8, 0}}) {
      entries.push_back({put_text(field.type), put_text(field.name), put_text("void*"), field.is_static,
                         field.offset, field.address});
    }
    entries.push_back({});
    export_word("gHotSpotVMStructs", put_entries(entries));
    const char* parts[] = {"TypeName", "FieldName", "TypeString", "IsStatic", "Offset", "Address"};
    for (std::size_t i = 0; i < 6; ++i)
      export_word(std::string("gHotSpotVMStructEntry") + parts[i] + "Offset", i * 8);
    export_word("gHotSpotVMStructEntryArrayStride", 48);
    export_word("gHotSpotVMTypes", put_entries({{put_text("MemRegion"), 16}, {}}));
    export_word("gHotSpotVMTypeEntryTypeNameOffset", 0);
    export_word("gHotSpotVMTypeEntrySizeOffset", 8);
    export_word("gHotSpotVMTypeEntryArrayStride", 48);
  }

  Address put_entries(const std::vector<std::array<std::uint64_t, 6>>& entries) {
    Address first = 0;
    for (const auto& entry : entries) {
      const Address at = put(entry);
      if (first == 0) first = at;
    }
    return first;
  }

  static std::uint32_t hash_of(const std::string& name) {
    std::uint32_t hash = 5381;
    for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
    return hash;
  }

  /// One bucket holds all symbols, in order.
  void put_elf() {
    const Address strings = put_text("");
    std::vector<Elf64_Sym> symbols(1);
    for (const auto& [name, address] : exports_) {
      Elf64_Sym symbol{};
      symbol.st_name = static_cast<Elf64_Word>(put_text(name) - strings);
      symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
      symbol.st_shndx = 1;
      symbol.st_value = address - kBase;
      symbols.push_back(symbol);
    }
    at_ = (at_ + 15) & ~std::size_t{15};
    const Address table = kBase + at_;
    std::memcpy(bytes_.data() + at_, symbols.data(), symbols.size() * sizeof(Elf64_Sym));
    at_ += symbols.size() * sizeof(Elf64_Sym);
    std::vector<std::uint32_t> hash = {1, 1, 1, 0, 0, 0, 1};
    for (const auto& [name, address] : exports_) hash.push_back(hash_of(name) & ~1U);
    hash.back() |= 1;
    at_ = (at_ + 15) & ~std::size_t{15};
    const Address hashes = kBase + at_;
    std::memcpy(bytes_.data() + at_, hash.data(), hash.size() * 4);
    at_ += hash.size() * 4;
    const Address dynamic = put(std::array<std::uint64_t, 8>{
        DT_SYMTAB, table - kBase, DT_STRTAB, strings - kBase, DT_GNU_HASH, hashes - kBase, DT_NULL, 0});
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_phoff = sizeof header;
    header.e_phnum = 2;
    Elf64_Phdr segments[2] = {};
    segments[0].p_type = PT_LOAD;
    segments[0].p_memsz = kImageBytes;
    segments[1].p_type = PT_DYNAMIC;
    segments[1].p_vaddr = dynamic - kBase;
    std::memcpy(bytes_.data(), &header, sizeof header);
    std::memcpy(bytes_.data() + sizeof header, segments, sizeof segments);
  }

  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
  std::vector<std::pair<std::string, Address>> exports_;
};

TEST(Hotspot, SmallImage_IsReadByItsTables) {
  JvmImage image;
  const auto mappings = JvmImage::mappings();
  const auto hotspot = Hotspot::find(image, mappings, {});
  ASSERT_NE(hotspot, nullptr);
  const HotspotReport report = hotspot->read();
  EXPECT_EQ(report.version, "21.0.2");
  ASSERT_TRUE(report.heap);
  EXPECT_EQ(report.heap->reserved_bytes, Bytes{16} << 20);
  EXPECT_EQ(report.heap->committed_bytes, Bytes{16} << 20);
  ASSERT_EQ(report.ranges.size(), 1u);
  EXPECT_EQ(report.ranges[0].part, JavaPart::kHeap);
  EXPECT_TRUE(report.threads.empty());
  EXPECT_FALSE(report.direct->reserved_bytes);
}

TEST(Hotspot, LibraryOfZeros_IsNoJvm) {
  JvmImage image;
  std::fill(image.bytes().begin(), image.bytes().end(), std::byte{0});
  const auto mappings = JvmImage::mappings();
  EXPECT_EQ(Hotspot::find(image, mappings, {}), nullptr);
}

TEST(Hotspot, DamagedImages_DoNoHarm) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    JvmImage image;
    for (int i = 0; i < 40; ++i) image.bytes()[random() % kImageBytes] = std::byte(random() & 0xff);
    const auto mappings = JvmImage::mappings();
    const auto hotspot = Hotspot::find(image, mappings, {});
    if (!hotspot) continue;
    const HotspotReport report = hotspot->read();
    for (const JavaRange& range : report.ranges) EXPECT_LT(range.range.begin, range.range.end);
    const std::array<Range, 1> unowned = {Range{kHeapBase, kHeapBase + 4096}};
    EXPECT_LE(hotspot->infer(unowned).size(), 1u);
  }
}

TEST(Unsigned5, Numbers_AreDigitsOfSixBits) {
  const std::vector<std::uint8_t> bytes = {1, 191, 192, 1, 255, 255, 255, 255, 255};
  Unsigned5Reader reader(bytes);
  EXPECT_EQ(reader.next(), 0u);
  EXPECT_EQ(reader.next(), 190u);
  EXPECT_EQ(reader.next(), 191u);
  reader.next();
  EXPECT_TRUE(reader.good());
  reader.next();
  EXPECT_FALSE(reader.good());
}

}  // namespace
}  // namespace offheap
