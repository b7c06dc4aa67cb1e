# SPDX-License-Identifier: Apache-2.0
#
# shim_under_test and its plugins stand in tests/property/shim.cmake.
foreach(test interval modules tags)
  set(name shim_${test}_unit_test)
  add_executable(${name} shim_${test}_test.cc)
  target_link_libraries(${name} PRIVATE shim_under_test GTest::gtest_main ${CMAKE_DL_LIBS})
  target_compile_definitions(${name} PRIVATE SHIM_PLUGIN="$<TARGET_FILE:shim_plugin>")
  add_dependencies(${name} shim_plugin)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endforeach()
