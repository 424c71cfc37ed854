#include "tests/e2e/damage.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/e2e/refusal.h"

static_assert(std::endian::native == std::endian::little, "the header's length is written as it lies in memory");

namespace {

using atelier::Json;

constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);

std::string length_bytes(std::uint64_t length) {
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  return bytes;
}

std::string joined(const RawSafetensors& file) {
  const std::string header = file.header.dump();
  return length_bytes(header.size()) + header + file.data;
}

}  // namespace

void edit_safetensors(const std::filesystem::path& path, const std::function<void(RawSafetensors&)>& edit) {
  const std::string bytes = read_bytes(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  RawSafetensors file{.header = Json::parse(bytes.substr(kLengthBytes, length)),
                      .data = bytes.substr(kLengthBytes + length)};
  edit(file);
  write_bytes(path, joined(file));
}

void set_header_length(const std::filesystem::path& path, std::uint64_t length) {
  write_bytes(path, length_bytes(length) + read_bytes(path).substr(kLengthBytes));
}

std::string last_tensor(const RawSafetensors& file) {
  std::string last;
  std::uint64_t begin = 0;
  for (const auto& [name, tensor] : file.header.items()) {
    if (name == "__metadata__") continue;
    const auto at = tensor.at("data_offsets").at(0).get<std::uint64_t>();
    if (!last.empty() && at < begin) continue;
    last = name;
    begin = at;
  }
  return last;
}

std::string zeros_file(const std::string& name, const std::vector<std::int64_t>& shape) {
  std::size_t bytes = sizeof(float);
  for (const auto side : shape) bytes *= static_cast<std::size_t>(side);
  const Json header{{name, {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {0, bytes}}}}};
  return joined({.header = header, .data = std::string(bytes, '\0')});
}

void set_config(const std::filesystem::path& config, const std::string& key, const Json& value) {
  Json json = Json::parse(read_bytes(config));
  json[key] = value;
  write_bytes(config, json.dump());
}
