// SPDX-License-Identifier: Apache-2.0
#include "apart/rights.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace offheap {

void keep_rights(Rights kept) {
  const bool wants_restore = (kept & right(CAP_CHECKPOINT_RESTORE)) != 0;
  if (wants_restore && ::prctl(PR_CAPBSET_READ, CAP_CHECKPOINT_RESTORE, 0, 0, 0) < 0)
    kept |= right(CAP_SYS_ADMIN);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> halves{};
  if (::syscall(SYS_capget, &header, halves.data()) != 0) return;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const auto half = static_cast<std::uint32_t>(kept >> (32 * i));
    halves[i].effective &= half;
    halves[i].permitted &= half;
    halves[i].inheritable &= half;
  }
  (void)::syscall(SYS_capset, &header, halves.data());
}

}  // namespace offheap
