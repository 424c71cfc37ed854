#include "framework/files/safetensors_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/quote.h"
#include "framework/files/safetensors.h"

namespace atelier {
namespace {

using Item = const std::pair<const std::string, TensorView>*;

[[noreturn]] void fail(const std::string& where, const std::string& name, std::string found, std::string expected,
                       std::string advice) {
  throw Error({.where = fmt::format("{}: tensor {}", where, quote(name)),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = std::move(advice)});
}

/// A JSON string escaped as the reference escapes it: the short forms, \u00xx for other control characters.
std::string json_string(const std::string& text, const std::string& where) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    throw Error({.where = where, .found = "the name " + quote(text) + " is not UTF-8", .expected = "UTF-8"});
  }
}

void check_view(const std::string& name, const TensorView& view, const std::string& where) {
  if (name == "__metadata__") fail(where, name, "a reserved name", "another name", "rename the tensor");
  if (!view.strides.empty()) {
    fail(where, name, fmt::format("strides [{}]", fmt::join(view.strides, ", ")), "a contiguous tensor",
         "make it contiguous before it is written");
  }
  std::uint64_t size = dtype_size(view.dtype);
  for (const std::int64_t dimension : view.shape) {
    if (dimension < 0 || __builtin_mul_overflow(size, static_cast<std::uint64_t>(dimension), &size)) {
      fail(where, name, "the shape of " + describe(view), "dimensions that fit into memory", "");
    }
  }
  if (size != view.bytes.size()) {
    fail(where, name, fmt::format("{} bytes", view.bytes.size()), fmt::format("{} for {}", size, describe(view)), "");
  }
}

void check_sharing(std::vector<Item> items, const std::string& where) {
  std::erase_if(items, [](Item item) { return item->second.bytes.empty(); });
  std::sort(items.begin(), items.end(),
            [](Item a, Item b) { return std::less<>()(a->second.bytes.data(), b->second.bytes.data()); });
  for (std::size_t i = 1; i < items.size(); ++i) {
    const auto previous = items[i - 1]->second.bytes;
    if (std::less<>()(items[i]->second.bytes.data(), previous.data() + previous.size())) {
      fail(where, items[i]->first, "it shares memory with " + quote(items[i - 1]->first), "tensors of their own",
           "write tied weights under one name only, or copy one of them");
    }
  }
}

/// The order in the file: by descending alignment (our enumeration is in the reference's order), then by name.
std::vector<Item> file_order(const std::map<std::string, TensorView>& tensors) {
  std::vector<Item> items;
  items.reserve(tensors.size());
  for (const auto& item : tensors) items.push_back(&item);
  std::stable_sort(items.begin(), items.end(), [](Item a, Item b) { return a->second.dtype > b->second.dtype; });
  return items;
}

std::string metadata_json(const SafetensorsOptions& options, const std::string& where) {
  auto metadata = options.metadata;
  if (options.add_format) metadata.try_emplace("format", "pt");
  if (metadata.empty()) return {};
  std::vector<std::string> pairs;
  for (const auto& [key, value] : metadata) {
    pairs.push_back(json_string(key, where) + ":" + json_string(value, where));
  }
  return fmt::format("\"__metadata__\":{{{}}}", fmt::join(pairs, ","));
}

/// Length and JSON, padded with spaces so that the data begins at a multiple of 8.
std::string header_bytes(const std::vector<Item>& items, const SafetensorsOptions& options, const std::string& where) {
  std::string json = fmt::format("{{{}", metadata_json(options, where));
  std::size_t begin = 0;
  for (const Item item : items) {
    const auto& [name, view] = *item;
    json += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", json.size() > 1 ? "," : "",
                        json_string(name, where), dtype_name(view.dtype), fmt::join(view.shape, ","), begin,
                        begin + view.bytes.size());
    begin += view.bytes.size();
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  if (json.size() > kMaxSafetensorsHeader) {
    throw Error({.where = where,
                 .found = fmt::format("a header of {} bytes", json.size()),
                 .expected = fmt::format("at most {}", kMaxSafetensorsHeader),
                 .advice = "write fewer tensors or less metadata into one file"});
  }
  const std::uint64_t length = json.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + json;
}

}  // namespace

void write_safetensors(const std::filesystem::path& target, const std::map<std::string, TensorView>& tensors,
                       const SafetensorsOptions& options) {
  const std::string where = target.string();
  for (const auto& [name, view] : tensors) check_view(name, view, where);
  const auto items = file_order(tensors);
  check_sharing(items, where);
  const std::string header = header_bytes(items, options, where);
  AtomicFile file(target);
  file.write(header);
  for (const Item item : items) file.write(item->second.bytes);
  file.commit();
}

}  // namespace atelier
