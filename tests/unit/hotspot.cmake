# SPDX-License-Identifier: Apache-2.0
#
# The HotSpot reader over images that a test makes itself.
add_executable(hotspot_test hotspot_test.cc verdict_java_test.cc)
target_link_libraries(hotspot_test PRIVATE offheap_hotspot offheap_verdict offheap_warnings offheap_sanitize GTest::gtest_main)
gtest_discover_tests(hotspot_test PROPERTIES LABELS unit)
