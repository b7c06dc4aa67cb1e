// SPDX-License-Identifier: Apache-2.0
//
// Bytes as a JVM's answer on the attach socket.
#include "attach/hotspot_attach.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto answer = offheap::parse_attach_answer(bytes);
  if (!answer.ok()) {
    fuzz::require(!answer.error().what.empty(), "a refusal says what is wrong");
    fuzz::require(answer.error().where.size() < 100, "a refusal does not repeat the whole answer");
    return 0;
  }
  fuzz::require(answer->text.size() < size, "the text is what follows the code");
  fuzz::require(bytes.ends_with(answer->text), "the text is the end of the answer");
  (void)offheap::parse_agent_result(answer->text);
  return 0;
}
