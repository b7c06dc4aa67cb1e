// SPDX-License-Identifier: Apache-2.0
#include "attach/embedded_shim.h"

#ifdef OFFHEAP_EMBEDS_SHIM
extern "C" {
extern const char offheap_embedded_shim[];
extern const char offheap_embedded_shim_end[];
}
#endif

namespace offheap {

std::string_view embedded_shim() {
#ifdef OFFHEAP_EMBEDS_SHIM
  return {offheap_embedded_shim, offheap_embedded_shim_end};
#else
  return {};
#endif
}

}  // namespace offheap
