# SPDX-License-Identifier: Apache-2.0
find_package(Threads REQUIRED)
set(heap_unit_folder ${CMAKE_CURRENT_LIST_DIR})

add_executable(procfs_test ${heap_unit_folder}/procfs_smaps_test.cc ${heap_unit_folder}/procfs_process_test.cc
  ${heap_unit_folder}/procfs_stop_test.cc ${heap_unit_folder}/procfs_thread_stacks_test.cc)
target_link_libraries(procfs_test PRIVATE offheap_procfs GTest::gtest_main Threads::Threads)
target_include_directories(procfs_test PRIVATE ${heap_unit_folder}/..)
gtest_discover_tests(procfs_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)

add_executable(glibc_heap_test ${heap_unit_folder}/glibc_heap_parts_test.cc
  ${heap_unit_folder}/glibc_heap_hostile_test.cc ${heap_unit_folder}/glibc_heap_generations_test.cc
  ${heap_unit_folder}/glibc_image.cc)
target_link_libraries(glibc_heap_test PRIVATE offheap_glibc_heap GTest::gtest_main Threads::Threads)
target_include_directories(glibc_heap_test PRIVATE ${heap_unit_folder}/..)
target_compile_definitions(glibc_heap_test PRIVATE HEAP_TARGET="$<TARGET_FILE:heap_target>")
add_dependencies(glibc_heap_test heap_target)
gtest_discover_tests(glibc_heap_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
