// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks a symbol that exports.map lists; everything else is hidden.
#define SHIM_EXPORT [[gnu::visibility("default")]]
