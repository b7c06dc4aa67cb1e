# SPDX-License-Identifier: Apache-2.0
if(TARGET offheap_container)
  add_executable(containers_test container_http_test.cc container_names_test.cc cgroup_charge_test.cc)
  target_link_libraries(containers_test PRIVATE offheap_container GTest::gtest_main)
  gtest_discover_tests(containers_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endif()
