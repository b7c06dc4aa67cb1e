# SPDX-License-Identifier: Apache-2.0
if(TARGET offheap_host)
  add_executable(host_property_test host_property_test.cc)
  target_link_libraries(host_property_test PRIVATE offheap_host GTest::gtest_main)
  gtest_discover_tests(host_property_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property)
endif()
