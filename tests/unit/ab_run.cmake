# SPDX-License-Identifier: Apache-2.0
#
# The running side of `offheap ab`: entries, order, what load tools print, which waits are a lock's.
set(ab_run_unit_folder ${CMAKE_CURRENT_LIST_DIR})

foreach(test ab_entry_test ab_schedule_test ab_load_output_test)
  add_executable(${test} ${ab_run_unit_folder}/${test}.cc)
  target_link_libraries(${test} PRIVATE offheap_ab GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${test} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endforeach()

foreach(test ab_lock_waits_test ab_server_test)
  add_executable(${test} ${ab_run_unit_folder}/${test}.cc)
  target_link_libraries(${test} PRIVATE offheap_ab_run GTest::gtest_main)
  gtest_discover_tests(${test} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endforeach()
