# SPDX-License-Identifier: Apache-2.0
find_package(GTest REQUIRED)
add_executable(ab_report_test ab_recommend_test.cc ab_report_test.cc ab_statistics_test.cc)
target_link_libraries(ab_report_test PRIVATE offheap_ab_report offheap_render GTest::gmock GTest::gtest_main)
gtest_discover_tests(ab_report_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
