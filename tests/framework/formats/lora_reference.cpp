#include "tests/framework/formats/lora_reference.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/formats/lora_values.h"

namespace lora_reference {

using namespace atelier;

std::filesystem::path path(const std::string& name) {
  return std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/framework/formats/lora" / name;
}

const Json& expected() {
  static const Json json = read_json_file(path("expected.json"));
  return json;
}

ModuleNames target(const std::string& name) {
  ModuleNames names;
  for (const auto& [component, layers] : expected().at("targets").at(name).items()) {
    for (const auto& [layer, shape] : layers.items()) {
      names.add(component, layer + ".weight", shape.get<std::vector<std::int64_t>>());
    }
  }
  return names;
}

namespace {

/// Position among all layers of the target, sorted by component and path.
std::int64_t number(const ModuleNames& target, const std::string& module) {
  std::int64_t n = 0;
  for (const auto& [component, modules] : target.components()) {
    for (const auto& [layer, shape] : modules) {
      if (component + "." + layer == module) return n;
      ++n;
    }
  }
  FAIL("no layer " + module);
  return -1;
}

}  // namespace

TensorView matrix(const ModuleNames& target, const std::string& module, int half, std::int64_t rank) {
  const auto dot = module.find('.');
  auto shape = *target.find(module.substr(0, dot), module.substr(dot + 1));
  if (half == 0) shape[0] = rank;
  if (half == 1) shape[1] = rank;
  if (half == 1 && shape.size() == 4) shape[2] = shape[3] = 1;
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  const auto n = number(target, module);
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<double>((5 * i + 3 * n + 7 * half) % 17 - 8) / 16);
  return make_view(values, shape, Dtype::f32);
}

std::vector<LoraEntry> entries(const ModuleNames& target, const std::vector<std::string>& modules, std::int64_t rank,
                               const std::vector<double>& alphas) {
  std::vector<LoraEntry> entries;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    entries.push_back({.module = modules[i],
                       .down = matrix(target, modules[i], 0, rank),
                       .up = matrix(target, modules[i], 1, rank),
                       .alpha = alphas[i % alphas.size()],
                       .rank = rank});
  }
  return entries;
}

void check(const std::vector<LoraEntry>& entries, const ModuleNames& target, const Json& expected) {
  REQUIRE(entries.size() == expected.size());
  for (const auto& entry : entries) {
    INFO(entry.module);
    REQUIRE(expected.contains(entry.module));
    const auto& row = expected.at(entry.module);
    CHECK(entry.rank == row.at(0).get<std::int64_t>());
    CHECK(entry.alpha == Approx(row.at(1).get<double>()));
    const auto down = matrix(target, entry.module, 0, entry.rank);
    const auto up = matrix(target, entry.module, 1, entry.rank);
    CHECK(entry.down.shape == down.shape);
    CHECK(entry.up.shape == up.shape);
    CHECK(values(entry.down) == values(down));
    CHECK(values(entry.up) == values(up));
  }
}

std::vector<double> values(const TensorView& view) { return values_of(view, "a test"); }

}  // namespace lora_reference
