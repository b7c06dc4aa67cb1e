# SPDX-License-Identifier: Apache-2.0
add_executable(recording_test recording_parse_test.cc recording_files_test.cc)
target_link_libraries(recording_test PRIVATE offheap_recording GTest::gtest_main)
gtest_discover_tests(recording_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
