# SPDX-License-Identifier: Apache-2.0
if(TARGET offheap_verdict AND TARGET offheap_render AND TARGET offheap_cgroup)
  add_executable(explain_test cgroup_test.cc ledger_test.cc render_test.cc verdict_test.cc verdict_trend_test.cc)
  target_link_libraries(explain_test PRIVATE offheap_render offheap_verdict offheap_cgroup offheap_ledger
    offheap_procfs GTest::gtest_main)
  gtest_discover_tests(explain_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endif()
if(TARGET offheap_commands)
  add_executable(commands_test commands_test.cc)
  target_link_libraries(commands_test PRIVATE offheap_commands GTest::gtest_main)
  gtest_discover_tests(commands_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endif()
