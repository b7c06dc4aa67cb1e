# SPDX-License-Identifier: Apache-2.0
#
# The backends without the shim: the test is linked with their objects and takes their reports itself.
# Not under sanitizers: embedded allocators bring their own memory.
add_library(backends_partial_allocator MODULE backends_partial_allocator.c)

add_executable(backends_test backends_test.cc backends_ranges.cc)
target_link_libraries(backends_test PRIVATE offheap_warnings offheap_backends GTest::gtest)
target_compile_definitions(backends_test PRIVATE
  OFFHEAP_PARTIAL_ALLOCATOR="$<TARGET_FILE:backends_partial_allocator>")
add_dependencies(backends_test backends_partial_allocator)
gtest_discover_tests(backends_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)

add_executable(backends_tuning_test backends_tuning_test.cc backends_ranges.cc)
target_link_libraries(backends_tuning_test PRIVATE offheap_warnings offheap_backends GTest::gtest GTest::gtest_main)
gtest_discover_tests(backends_tuning_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
