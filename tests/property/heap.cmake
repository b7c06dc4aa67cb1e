# SPDX-License-Identifier: Apache-2.0
find_package(Threads REQUIRED)
set(heap_property_folder ${CMAKE_CURRENT_LIST_DIR})

add_executable(heap_target ${heap_property_folder}/heap_target.c)
target_link_libraries(heap_target PRIVATE offheap_warnings Threads::Threads)
# The compiler must not see through malloc and free.
target_compile_options(heap_target PRIVATE -fno-builtin $<$<C_COMPILER_ID:GNU>:-Wno-use-after-free>)

add_executable(stacks_target ${heap_property_folder}/stacks_target.c)
target_link_libraries(stacks_target PRIVATE offheap_warnings Threads::Threads)

add_executable(stacks_property_test ${heap_property_folder}/stacks_property_test.cc)
target_include_directories(stacks_property_test PRIVATE ${heap_property_folder}/..)
target_compile_definitions(stacks_property_test PRIVATE STACKS_TARGET="$<TARGET_FILE:stacks_target>")
target_link_libraries(stacks_property_test PRIVATE offheap_procfs GTest::gtest_main)
add_dependencies(stacks_property_test stacks_target)
gtest_discover_tests(stacks_property_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property)

add_executable(heap_property_test ${heap_property_folder}/heap_property_test.cc)
target_include_directories(heap_property_test PRIVATE ${heap_property_folder}/..)
target_compile_definitions(heap_property_test PRIVATE HEAP_TARGET="$<TARGET_FILE:heap_target>")
target_link_libraries(heap_property_test PRIVATE offheap_glibc_heap GTest::gtest_main Threads::Threads)
add_dependencies(heap_property_test heap_target)
# A sanitizer's speed is not the reader's.
if(OFFHEAP_SANITIZE)
  set(heap_property_filter TEST_FILTER -HeapSpeed.*)
endif()
gtest_discover_tests(heap_property_test DISCOVERY_TIMEOUT 60 ${heap_property_filter} PROPERTIES LABELS property)

# The same over other heaps: glibc in the program itself, transparent huge pages, pages of the hugetlb pool.
add_executable(heap_target_static ${heap_property_folder}/heap_target.c)
target_compile_definitions(heap_target_static PRIVATE HEAP_TARGET_STATIC)
target_compile_options(heap_target_static PRIVATE -fno-builtin $<$<C_COMPILER_ID:GNU>:-Wno-use-after-free>)
target_link_options(heap_target_static PRIVATE -static -no-pie)
target_link_libraries(heap_target_static PRIVATE offheap_warnings Threads::Threads)
set(heap_workloads --gtest_filter=*HeapWorkload*:HeapThreads*)
add_test(NAME heap.static COMMAND heap_property_test ${heap_workloads})
add_test(NAME heap.transparent_huge_pages COMMAND heap_property_test ${heap_workloads})
add_test(NAME heap.hugetlb_pages COMMAND ${heap_property_folder}/with_huge_pages.sh 200
  $<TARGET_FILE:heap_property_test> --gtest_filter=*/main_only:*/small:*/mmapped:*/mixed:*/aligned)
add_test(NAME heap.swap COMMAND ${heap_property_folder}/with_swap.sh 64
  $<TARGET_FILE:heap_property_test> --gtest_filter=HeapSwap.*)
set(heap_tests heap.swap heap.static heap.transparent_huge_pages heap.hugetlb_pages)
set_tests_properties(${heap_tests} PROPERTIES LABELS property TIMEOUT 120 SKIP_RETURN_CODE 77)
set_tests_properties(heap.static PROPERTIES
  ENVIRONMENT "HEAP_SEEDS=2;HEAP_TARGET=$<TARGET_FILE:heap_target_static>")
set_tests_properties(heap.transparent_huge_pages PROPERTIES
  ENVIRONMENT "HEAP_SEEDS=2;GLIBC_TUNABLES=glibc.malloc.hugetlb=1")
set_tests_properties(heap.hugetlb_pages PROPERTIES
  ENVIRONMENT "HEAP_SEEDS=2;GLIBC_TUNABLES=glibc.malloc.hugetlb=2")
