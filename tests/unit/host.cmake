# SPDX-License-Identifier: Apache-2.0
if(TARGET offheap_host)
  add_executable(host_test host_log_test.cc host_parse_test.cc host_read_test.cc host_rules_test.cc host_screen_test.cc)
  target_link_libraries(host_test PRIVATE offheap_host GTest::gtest_main)
  gtest_discover_tests(host_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endif()
