// SPDX-License-Identifier: Apache-2.0
//
// One text as a daemon's answer, as its list of containers and as one container.
#include "container/docker.h"
#include "container/http.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view body = text;
  const auto answer = offheap::parse_http_answer(text);
  if (answer) {
    fuzz::require(answer->body.size() <= size, "a body is part of the answer");
    fuzz::require(answer->status >= 100 && answer->status <= 999, "a status has three digits");
    body = answer->body;
  }
  if (const auto list = offheap::parse_docker_list(body))
    for (const auto& entry : *list) fuzz::require(!entry.id.empty(), "a container has an id");
  if (const auto container = offheap::parse_docker_container(body))
    fuzz::require(!container->id.empty(), "a container has an id");
  return 0;
}
