// SPDX-License-Identifier: Apache-2.0
//
// The ranges that an embedded backend has mapped for itself: kept in private memory, because they begin
// before the recording does and go on in a forked child, and copied into the recording as they change.
#pragma once

namespace shim {

/// Copies every range into the recording. Called when one has been opened.
void publish_backend_ranges();

}  // namespace shim
