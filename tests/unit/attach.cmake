# SPDX-License-Identifier: Apache-2.0
add_executable(hotspot_attach_test ${CMAKE_CURRENT_LIST_DIR}/hotspot_attach_test.cc)
target_link_libraries(hotspot_attach_test PRIVATE offheap_attach GTest::gtest_main)
gtest_discover_tests(hotspot_attach_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
