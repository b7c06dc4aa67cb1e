// SPDX-License-Identifier: Apache-2.0
//
// The code of fmt, compiled once. Debian ships it as a shared library only, and offheap is static; as
// headers alone it costs every file that formats a number six seconds of compiling.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

template locale_ref::locale_ref(const std::locale& loc);
template auto locale_ref::get<std::locale>() const -> std::locale;
template auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;

}  // namespace detail
FMT_END_NAMESPACE
