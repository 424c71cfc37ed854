#include "framework/tensor/memory_failure.h"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

namespace atelier {

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::Error*>(&error) == nullptr) return false;
  const std::string_view text = error.what();
  const auto line = text.substr(0, text.find('\n'));  // a stack trace follows
  return line.find("not enough memory") != std::string_view::npos ||
         line.find("can't allocate memory") != std::string_view::npos;
}

}  // namespace atelier
