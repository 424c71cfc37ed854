#include "framework/core/error.h"

#include <fmt/format.h>

#include <system_error>

namespace atelier {
namespace {

std::string one_line(const Fault& fault) {
  std::string text = fmt::format("{}: {}", fault.where, fault.found);
  if (!fault.expected.empty()) text += "; expected " + fault.expected;
  if (!fault.advice.empty()) text += "; " + fault.advice;
  for (char& character : text) {
    if (character == '\n' || character == '\r') character = ' ';
  }
  return text;
}

}  // namespace

Error::Error(Fault fault, ErrorKind kind)
    : std::runtime_error(one_line(fault)), fault_(std::move(fault)), kind_(kind) {}

Error::~Error() = default;  // here, so that the type has one home when it crosses shared libraries

int Error::exit_code() const noexcept {
  switch (kind_) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::interrupted:
      return 3;
    case ErrorKind::failure:
      break;
  }
  return 1;
}

std::string errno_text(int error_number) { return std::generic_category().message(error_number); }

}  // namespace atelier
