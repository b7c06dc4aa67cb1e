# SPDX-License-Identifier: Apache-2.0
add_executable(estimate_property_test estimate_property_test.cc)
target_link_libraries(estimate_property_test PRIVATE offheap_recording GTest::gtest_main)
gtest_discover_tests(estimate_property_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property)
