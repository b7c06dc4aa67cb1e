# SPDX-License-Identifier: Apache-2.0
add_executable(estimate_property_test estimate_property_test.cc)
target_link_libraries(estimate_property_test PRIVATE offheap_recording GTest::gtest_main)
# One test for the whole program: its cases share the simulated runs.
add_test(NAME estimate_property_test COMMAND estimate_property_test)
set_tests_properties(estimate_property_test PROPERTIES LABELS property TIMEOUT 300)
