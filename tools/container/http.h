// SPDX-License-Identifier: Apache-2.0
//
// As much of HTTP/1.1 as a question to a daemon behind a unix socket takes: one GET, one answer, by
// length, in chunks or to the end. The answer may be slow, endless or nonsense: time and size are
// bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace offheap {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

/// A whole answer from its bytes. Errors: kUnreadable when it is cut short or no HTTP.
Result<HttpAnswer> parse_http_answer(std::string_view bytes);

/// GET `path` from the daemon behind `socket_path`, at most `timeout_ns` in all.
///
/// Errors: kUnreadable when nobody listens, it takes too long, or the answer is over 16 MiB or broken.
/// Source: RFC 9112.
Result<HttpAnswer> http_get(const std::string& socket_path, const std::string& path,
                            std::uint64_t timeout_ns);

}  // namespace offheap
