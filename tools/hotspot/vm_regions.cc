// SPDX-License-Identifier: Apache-2.0
#include "hotspot/vm_regions.h"

#include <algorithm>

#include "hotspot/metaspace.h"
#include "hotspot/vm_flags.h"

namespace offheap {
namespace {

constexpr Bytes kMostRegionBytes = Bytes{1} << 44;
constexpr Address kMostAddress = Address{1} << 57;  ///< no process has memory above
constexpr std::size_t kMostCodeHeaps = 16;
constexpr std::size_t kMostCodeBlocks = 1'000'000;

Range whole_pages(Range range) {
  return {range.begin / kPageBytes * kPageBytes,
          (range.end + kPageBytes - 1) / kPageBytes * kPageBytes};
}

/// [begin, end), or an empty range when that cannot be.
Range checked(std::optional<Address> begin, std::optional<Address> end) {
  if (!begin || !end || *begin == 0 || *end <= *begin || *end - *begin > kMostRegionBytes) return {};
  if (*end > kMostAddress) return {};
  return whole_pages({*begin, *end});
}

Range checked_size(std::optional<Address> begin, std::optional<Bytes> bytes) {
  if (!begin || !bytes || *bytes > kMostRegionBytes) return {};
  return checked(begin, *begin + *bytes);
}

class RegionReader {
 public:
  RegionReader(const Vm& vm, std::span<const Mapping> mappings, HotspotReport& report)
      : vm_(vm), mappings_(mappings), report_(report) {}

  void read() {
    collected_heap_ = vm_.static_value("Universe", "_collectedHeap").value_or(0);
    read_heap();
    read_code_cache();
    read_metaspace(vm_, report_);
    add(checked(vm_.static_value("MetaspaceObj", "_shared_metaspace_base"),
                vm_.static_value("MetaspaceObj", "_shared_metaspace_top")),
        JavaPart::kCds, "class archive");
    read_card_table();
  }

 private:
  void add(Range range, JavaPart part, std::string label) {
    if (range.size() != 0) report_.ranges.push_back({range, part, std::move(label)});
  }

  Range memory_region(Address region) const {
    const auto words = vm_.member(region, {"MemRegion"}, "_word_size");
    if (!words || *words > kMostRegionBytes / 8) return {};
    return checked_size(vm_.member(region, {"MemRegion"}, "_start"), *words * 8);
  }

  Range virtual_space(Address space, std::string_view begin, std::string_view end) const {
    return checked(vm_.member(space, {"VirtualSpace"}, begin),
                   vm_.member(space, {"VirtualSpace"}, end));
  }

  void read_heap() {
    JavaHeap heap;
    const Range reserved = memory_region(vm_.part(collected_heap_, {"CollectedHeap"}, "_reserved"));
    heap.reserved_bytes = reserved.size();
    for (const Mapping& mapping : mappings_) {
      if (mapping.writable && mapping.range.overlaps(reserved))
        heap.committed_bytes +=
            std::min(mapping.range.end, reserved.end) - std::max(mapping.range.begin, reserved.begin);
    }
    if (report_.gc == "ZGC") read_z_heap(heap);
    heap.used_bytes = used_bytes(heap.committed_bytes);
    add(reserved, JavaPart::kHeap, "");
    if (heap.reserved_bytes != 0) report_.heap = heap;
  }

  /// ZGC maps its heap at several places, under the name java_heap, and states no range.
  void read_z_heap(JavaHeap& heap) const {
    heap.reserved_bytes = flag_number(report_.flags, "MaxHeapSize", 0);
    const Address partition = z_partition();
    const auto capacity = vm_.member(partition, {"ZPartition", "ZPageAllocator"}, "_capacity");
    if (capacity && *capacity <= heap.reserved_bytes) heap.committed_bytes = *capacity;
  }

  /// Where ZGC counts: its page allocator or, since JDK 25, the first of one partition a NUMA node.
  Address z_partition() const {
    const Address z_heap = vm_.part(collected_heap_, {"ZCollectedHeap"}, "_heap");
    const Address allocator = vm_.part(z_heap, {"ZHeap"}, "_page_allocator");
    const Address partitions = vm_.part(allocator, {"ZPageAllocator"}, "_partitions");
    if (partitions == 0) return allocator;
    if (vm_.static_value<std::uint32_t>("ZNUMA", "_count").value_or(0) != 1) return 0;
    return vm_.member(partitions, {"ZPerNUMAZPartition"}, "_addr").value_or(0);
  }

  std::optional<Bytes> used_bytes(Bytes committed_bytes) const {
    std::optional<Bytes> used;
    if (report_.gc == "G1")
      used = vm_.member(collected_heap_, {"G1CollectedHeap"}, "_summary_bytes_used");
    if (report_.gc == "Serial") used = serial_used();
    if (report_.gc == "Parallel") used = parallel_used();
    if (report_.gc == "ZGC")
      used = vm_.member(z_partition(), {"ZPartition", "ZPageAllocator"}, "_used");
    if (report_.gc == "Shenandoah") used = shenandoah_used();
    if (report_.gc == "Epsilon")
      used = space_used(vm_.member(collected_heap_, {"EpsilonHeap"}, "_space"));
    return used && *used <= committed_bytes ? used : std::nullopt;
  }

  std::optional<Bytes> space_used(std::optional<Address> space) const {
    const bool parallel = report_.gc == "Parallel";
    const TypeNames contiguous = {"ContiguousSpace", "Space"};
    const TypeNames mutable_space = {"MutableSpace"};
    const auto bottom = vm_.member(space.value_or(0), parallel ? mutable_space : contiguous, "_bottom");
    const auto top = vm_.member(space.value_or(0), parallel ? mutable_space : contiguous, "_top");
    if (!bottom || !top || *top < *bottom) return std::nullopt;
    return *top - *bottom;
  }

  std::optional<Bytes> sum_of_spaces(Address owner, TypeNames types,
                                     std::initializer_list<std::string_view> names) const {
    Bytes sum = 0;
    for (const std::string_view name : names) {
      const auto used = space_used(vm_.member(owner, types, name));
      if (!used) return std::nullopt;
      sum += *used;
    }
    return sum;
  }

  std::optional<Bytes> serial_used() const {
    const TypeNames heap = {"SerialHeap", "GenCollectedHeap"};
    const auto young = sum_of_spaces(vm_.member(collected_heap_, heap, "_young_gen").value_or(0),
                                     {"DefNewGeneration"}, {"_eden_space", "_from_space", "_to_space"});
    const auto old = sum_of_spaces(vm_.member(collected_heap_, heap, "_old_gen").value_or(0),
                                   {"TenuredGeneration"}, {"_the_space"});
    return young && old ? std::optional(*young + *old) : std::nullopt;
  }

  std::optional<Bytes> parallel_used() const {
    const auto young = sum_of_spaces(vm_.static_value("ParallelScavengeHeap", "_young_gen").value_or(0),
                                     {"PSYoungGen"}, {"_eden_space", "_from_space", "_to_space"});
    const auto old = sum_of_spaces(vm_.static_value("ParallelScavengeHeap", "_old_gen").value_or(0),
                                   {"PSOldGen"}, {"_object_space"});
    return young && old ? std::optional(*young + *old) : std::nullopt;
  }

  std::optional<Bytes> shenandoah_used() const {
    const auto generation = vm_.member(collected_heap_, {"ShenandoahHeap"}, "_global_generation");
    if (generation) return vm_.member(*generation, {"ShenandoahGeneration"}, "_used");
    return vm_.member(collected_heap_, {"ShenandoahHeap"}, "_used");
  }

  void read_code_cache() {
    const auto heaps = vm_.static_value("CodeCache", "_heaps").value_or(0);
    const auto count =
        vm_.member<std::uint32_t>(heaps, {"GrowableArrayBase", "GenericGrowableArray"}, "_len");
    const auto data = vm_.member(heaps, {"GrowableArray<int>"}, "_data");
    if (!count || !data) return;
    for (std::size_t i = 0; i < std::min<std::size_t>(*count, kMostCodeHeaps); ++i)
      read_code_heap(vm_.at(*data + i * 8).value_or(0));
  }

  void read_code_heap(Address heap) {
    const Address memory = vm_.part(heap, {"CodeHeap"}, "_memory");
    const Range reserved = virtual_space(memory, "_low_boundary", "_high_boundary");
    const Range committed = virtual_space(memory, "_low", "_high");
    if (reserved.size() == 0 || committed.begin < reserved.begin || committed.end > reserved.end)
      return;
    CodeHeap result;
    result.name = code_heap_name(heap);
    result.reserved_bytes = reserved.size();
    result.committed_bytes = committed.size();
    result.used_bytes = code_used(heap, committed);
    add(reserved, JavaPart::kCodeCache, result.name);
    add(virtual_space(vm_.part(heap, {"CodeHeap"}, "_segmap"), "_low_boundary", "_high_boundary"),
        JavaPart::kCodeCache, result.name + ", segment map");
    report_.code_heaps.push_back(std::move(result));
  }

  /// The tables do not say where the name stands; it is the one text of libjvm that the object points
  /// to.
  std::string code_heap_name(Address heap) const {
    const Bytes size = std::min<Bytes>(vm_.tables().size_of("CodeHeap").value_or(0), 1024);
    for (Bytes offset = 0; offset + 8 <= size; offset += 8) {
      const auto text = vm_.at(heap + offset).value_or(0);
      if (!vm_.library().contains(text)) continue;
      const auto name = read_vm_text(vm_.memory(), text, 63);
      if (name && (name->starts_with("CodeHeap") || name->starts_with("CodeCache"))) return *name;
    }
    return "CodeHeap";
  }

  /// Sums the blocks in use, from the first to where no block has been yet.
  Bytes code_used(Address heap, Range committed) const {
    const VmField* length_field = vm_.tables().field({"HeapBlock::Header"}, "_length");
    const auto shift = vm_.member<std::uint32_t>(heap, {"CodeHeap"}, "_log2_segment_size").value_or(64);
    if (length_field == nullptr || shift > 20) return 0;
    const bool wide = length_field->type_text == "size_t";
    Bytes used = 0;
    Address block = committed.begin;
    for (std::size_t i = 0; i < kMostCodeBlocks && block < committed.end; ++i) {
      const auto raw = vm_.member(block, {"HeapBlock::Header"}, "_length").value_or(0);
      const Bytes length = (wide ? raw : static_cast<std::uint32_t>(raw)) << shift;
      if (length == 0 || length > committed.end - block) break;
      if (vm_.member<std::uint8_t>(block, {"HeapBlock::Header"}, "_used").value_or(0) != 0)
        used += length;
      block += length;
    }
    return used;
  }

  void read_card_table() {
    if (report_.gc != "Serial" && report_.gc != "Parallel" && report_.gc != "G1") return;
    const auto set = vm_.static_value("BarrierSet", "_barrier_set").value_or(0);
    const auto table = vm_.member(set, {"CardTableBarrierSet"}, "_card_table").value_or(0);
    const Range range = checked_size(vm_.member(table, {"CardTable"}, "_byte_map"),
                                     vm_.member(table, {"CardTable"}, "_byte_map_size"));
    if (report_.heap && range.size() <= report_.heap->reserved_bytes)
      add(range, JavaPart::kGc, "card table");
  }

  const Vm& vm_;
  std::span<const Mapping> mappings_;
  HotspotReport& report_;
  Address collected_heap_ = 0;
};

}  // namespace

void read_regions(const Vm& vm, std::span<const Mapping> mappings, HotspotReport& report) {
  RegionReader(vm, mappings, report).read();
}

}  // namespace offheap
