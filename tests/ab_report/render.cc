// SPDX-License-Identifier: Apache-2.0
//
// A rows file as its text, its JSON or its picture: render text|json|html FILE
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "ab/report.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream file(argv[2]);
  std::stringstream rows;
  rows << file.rdbuf();
  const auto comparison = offheap::ab::read_rows(rows.str());
  if (!comparison) {
    std::cerr << comparison.error().what << " at " << comparison.error().where << '\n';
    return 3;
  }
  const std::string form = argv[1];
  if (form == "html") {
    std::cout << offheap::ab::comparison_html(*comparison);
  } else if (form == "json") {
    std::cout << offheap::ab::comparison_json(*comparison)
                     .dump(-1, ' ', false, offheap::ab::Json::error_handler_t::replace);
  } else {
    std::cout << offheap::ab::comparison_text(*comparison, form == "colour");
  }
}
