#include "framework/models/token_ids.h"

#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {

std::int64_t require_token_rows(const Tensor& ids, std::int64_t rows, const std::string& where) {
  const auto [least, most] = at::aminmax(ids);
  const auto low = least.item<std::int64_t>(), high = most.item<std::int64_t>();
  if (low >= 0 && high < rows) return high;
  throw Error({.where = where + ": input_ids",
               .found = fmt::format("id {}", low < 0 ? low : high),
               .expected = fmt::format("ids from 0 to {}", rows - 1),
               .advice = "tokenizer and model do not belong to each other"});
}

}  // namespace atelier
