# SPDX-License-Identifier: Apache-2.0
set(peek_unit_folder ${CMAKE_CURRENT_LIST_DIR})

add_executable(peek_test ${peek_unit_folder}/peek_test.cc)
target_link_libraries(peek_test PRIVATE offheap_peek GTest::gtest_main)
gtest_discover_tests(peek_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)

add_executable(remote_call_test ${peek_unit_folder}/remote_call_test.cc)
target_link_libraries(remote_call_test PRIVATE offheap_attach GTest::gtest_main)
gtest_discover_tests(remote_call_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
