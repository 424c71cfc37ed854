#include "framework/cli/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/cli/arguments.h"
#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& option, std::string found, std::string expected, std::string advice = {}) {
  throw Error(
      {.where = option, .found = std::move(found), .expected = std::move(expected), .advice = std::move(advice)},
      ErrorKind::usage);
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  const auto value = parse_number<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

CLI::Option* check_path(CLI::Option* option, const char* type_name, const char* expected,
                        bool (*fits)(const fs::path&)) {
  return option->type_name(type_name)->check([expected, fits](const std::string& text) -> std::string {
    const fs::path path(text);
    std::error_code error;
    if (!fs::exists(path, error)) return fmt::format("'{}' does not exist; expected {}", text, expected);
    const char* kind = fs::is_directory(path) ? "a folder" : "a file";
    return fits(path) ? std::string{} : fmt::format("'{}' is {}; expected {}", text, kind, expected);
  });
}

bool is_device(const std::string& text) {
  if (text == "cpu" || text == "cuda") return true;
  return text.starts_with("cuda:") && parse_number<unsigned char>(text.substr(5)).has_value();
}

}  // namespace

CLI::Option* whole_number(CLI::Option* option, std::int64_t low, std::int64_t high) {
  return option->type_name("N")->check([low, high](const std::string& text) -> std::string {
    const auto value = parse_number<std::int64_t>(text);
    if (value && *value >= low && *value <= high) return {};
    return fmt::format("found '{}'; expected a whole number from {} to {}", text, low, high);
  });
}

CLI::Option* real_number(CLI::Option* option) {
  return option->type_name("X")->check([](const std::string& text) -> std::string {
    return parse_real(text) ? std::string{} : fmt::format("found '{}'; expected a number", text);
  });
}

CLI::Option* one_of(CLI::Option* option, std::vector<std::string> values) {
  option->type_name(join(values, "|"));
  return option->check([values = std::move(values)](const std::string& text) -> std::string {
    if (std::find(values.begin(), values.end(), text) != values.end()) return {};
    const std::string near = nearest(text, values);
    return fmt::format("found '{}'; expected {}{}", text, join(values),
                       near.empty() ? std::string{} : fmt::format("; did you mean '{}'?", near));
  });
}

CLI::Option* existing_file(CLI::Option* option) {
  return check_path(option, "FILE", "a file", [](const fs::path& path) { return !fs::is_directory(path); });
}

CLI::Option* existing_folder(CLI::Option* option) {
  return check_path(option, "DIR", "a folder", [](const fs::path& path) { return fs::is_directory(path); });
}

void add_device(CLI::App& app, std::string& device) {
  app.add_option("--device", device, "where to compute")
      ->capture_default_str()
      ->type_name("cpu|cuda[:K]")
      ->check([](const std::string& text) -> std::string {
        return is_device(text) ? std::string{} : fmt::format("found '{}'; expected cpu, cuda or cuda:K", text);
      });
}

void add_placement(CLI::App& app, Placement& placement) {
  add_device(app, placement.device);
  one_of(app.add_option("--dtype", placement.dtype, "type to compute in")->capture_default_str(),
         {"float32", "bfloat16", "float16", "float64"});
}

void add_file_pairs(CLI::App& app, FilePairs& files) {
  existing_file(app.add_option("--in", files.in, "safetensors file with the inputs; may be repeated")
                    ->allow_extra_args(false)
                    ->required());
  app.add_option("--out", files.out, "safetensors file to write, one for each --in, in order")
      ->allow_extra_args(false)
      ->required()
      ->type_name("FILE");
}

void check_output(const std::string& option, const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  if (path.empty()) refuse(option, "an empty name", "a file to write");
  check_output_folder(option, folder.empty() ? "." : folder);
  std::error_code error;
  if (!folder.empty() && !fs::exists(folder, error)) {
    refuse(option, fmt::format("'{}': the folder does not exist", path), "a folder that exists",
           fmt::format("make it: mkdir -p {}", folder.string()));
  }
  if (fs::is_directory(path, error)) refuse(option, fmt::format("'{}' is a folder", path), "a file to write");
  if (fs::exists(path, error) && !fs::is_regular_file(path, error)) {
    refuse(option, fmt::format("'{}' is a device or a pipe", path), "a file to write");
  }
}

void check_output_folder(const std::string& option, const fs::path& path) {
  std::error_code error;
  fs::path existing = fs::absolute(path, error).lexically_normal();
  while (existing.has_relative_path() && !fs::exists(existing, error)) existing = existing.parent_path();
  if (!fs::is_directory(existing, error)) {
    refuse(option, fmt::format("'{}' is not a folder", existing.string()), "a folder", "choose another place");
  }
  if (::access(existing.c_str(), W_OK | X_OK) != 0) {
    refuse(option, fmt::format("'{}': {}", existing.string(), errno_text(errno)), "a folder that can be written to",
           "choose another place");
  }
}

void check_file_pairs(const FilePairs& files) {
  if (files.in.size() != files.out.size()) {
    refuse("--in, --out", fmt::format("{} and {} files", files.in.size(), files.out.size()),
           "as many of one as of the other");
  }
  std::set<std::string> seen;
  for (const auto& path : files.out) {
    check_output("--out", path);
    if (!seen.insert(fs::absolute(path).lexically_normal().string()).second) {
      refuse("--out", fmt::format("'{}' twice", path), "another file for each --in");
    }
  }
}

void add_settings(CLI::App& app, std::vector<std::string>& settings, const std::string& help) {
  app.add_option("--set", settings, help)->allow_extra_args(false)->type_name(std::string("KEY=VALUE") + kSeveral);
}

Json parse_settings(const std::vector<std::string>& settings, const std::string& option) {
  Json values = Json::object();
  for (const auto& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) refuse(option, fmt::format("'{}'", setting), "KEY=VALUE");
    const std::string key = setting.substr(0, equals);
    const std::string text = setting.substr(equals + 1);
    if (values.contains(key)) refuse(option, fmt::format("'{}' twice", key), "once");
    Json value = Json::parse(text, nullptr, false);
    values[key] = value.is_discarded() || value.is_object() ? Json(text) : std::move(value);
  }
  return values;
}

Size parse_size(const std::string& option, const std::string& text, int multiple) {
  const std::size_t cross = std::min(text.find('x'), text.size());
  const auto width = parse_number<int>(std::string_view(text).substr(0, cross));
  const auto height = parse_number<int>(std::string_view(text).substr(std::min(cross + 1, text.size())));
  constexpr int kLargest = 16384;
  const auto fits = [&](int side) { return side >= 1 && side <= kLargest && side % multiple == 0; };
  if (width && height && fits(*width) && fits(*height)) return {.width = *width, .height = *height};
  refuse(option, fmt::format("'{}'", text),
         fmt::format("WIDTHxHEIGHT, {} up to {}, e.g. 512x512",
                     multiple == 1 ? "numbers" : fmt::format("multiples of {}", multiple), kLargest));
}

WeightedPath parse_weighted_path(const std::string& option, const std::string& text) {
  std::error_code error;
  if (fs::exists(text, error)) return {.path = text};
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    const auto weight = parse_real(std::string_view(text).substr(colon + 1));
    const std::string path = text.substr(0, colon);
    if (weight && fs::exists(path, error)) return {.path = path, .weight = *weight};
    if (!weight && fs::exists(path, error)) {
      refuse(option, fmt::format("the weight '{}' of '{}'", text.substr(colon + 1), path), "a number");
    }
  }
  refuse(option, fmt::format("'{}' does not exist", text), "a file or folder, then perhaps ':WEIGHT'");
}

Json or_null(const std::optional<std::string>& text) { return text ? Json(*text) : Json(nullptr); }
Json or_null(const std::optional<std::int64_t>& number) { return number ? Json(*number) : Json(nullptr); }
Json or_null(const std::optional<double>& number) { return number ? Json(*number) : Json(nullptr); }

}  // namespace atelier::cli
