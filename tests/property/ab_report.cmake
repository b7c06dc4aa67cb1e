# SPDX-License-Identifier: Apache-2.0
add_executable(ab_property_test ab_property_test.cc)
target_link_libraries(ab_property_test PRIVATE offheap_ab_report GTest::gtest_main)
gtest_discover_tests(ab_property_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property)
