// tests/numerics.lock: what a few steps of every stage give. A stage whose results change has to raise its `numerics`,
// so that keys change with them; then the lock gets the new line.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "framework/files/safetensors.h"
#include "framework/formats/lora_values.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// One line of the lock: method, stage, numerics, the reference case that is probed, three numbers.
struct Locked {
  std::string method, stage, reference;
  int numerics = 0;
  std::vector<double> values;
};

std::vector<Locked> read_lock() {
  std::vector<Locked> all;
  std::ifstream file(ATELIER_SOURCE_DIR "/tests/numerics.lock");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    Locked entry;
    std::istringstream words(line);
    words >> entry.method >> entry.stage >> entry.numerics >> entry.reference;
    for (double value = 0; words >> value;) entry.values.push_back(value);
    all.push_back(std::move(entry));
  }
  return all;
}

/// loss.0, loss.2 and grad_norm.2 of the case, in float64: nothing then depends on the processor but the last digits.
std::vector<double> probe(const Locked& entry) {
  const TemporaryFolder folder;
  const fs::path reference = references_folder() / "methods" / entry.reference;
  const std::string out = folder / "out.safetensors";
  const auto done = run_atelier({"probe", "method", entry.method, "--stage", entry.stage, "--model",
                                 models_folder() / "sd15", "--config", reference / "run.yaml", "--in",
                                 reference / "in.safetensors", "--out", out, "--dtype", "float64"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto file = atelier::read_safetensors(out);
  std::vector<double> values;
  for (const char* name : {"loss.0", "loss.2", "grad_norm.2"}) {
    values.push_back(atelier::scalar_of(file.tensors.at(name), out));
  }
  return values;
}

json installed_methods() {
  return json::parse(run_atelier(std::vector<std::string>{"plugins", "--json"}).out)["plugins"];
}

int numerics_of(const json& methods, const std::string& method, const std::string& stage) {
  for (const auto& plugin : methods) {
    if (plugin["method"]["name"] != method) continue;
    for (const auto& entry : plugin["method"]["stages"]) {
      if (entry["name"] == stage) return entry["numerics"];
    }
  }
  return -1;
}

}  // namespace

TEST_CASE("No stage's results change without its numerics", "[parity][numerics]") {
  const json methods = installed_methods();
  for (const Locked& entry : read_lock()) {
    const auto values = probe(entry);
    INFO(fmt::format("{} {} {} {} {:.9g} {:.9g} {:.9g}", entry.method, entry.stage,
                     numerics_of(methods, entry.method, entry.stage), entry.reference, values[0], values[1],
                     values[2]));
    CHECK(numerics_of(methods, entry.method, entry.stage) == entry.numerics);
    REQUIRE(entry.values.size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == Approx(entry.values[i]).epsilon(1e-6));
  }
}

TEST_CASE("Every stage of every installed method is in the lock", "[parity][numerics]") {
  std::set<std::pair<std::string, std::string>> locked;
  for (const Locked& entry : read_lock()) locked.emplace(entry.method, entry.stage);
  for (const auto& plugin : installed_methods()) {
    for (const auto& stage : plugin["method"]["stages"]) {
      INFO(plugin["method"]["name"] << " " << stage["name"]);
      CHECK(locked.contains({plugin["method"]["name"], stage["name"]}));
    }
  }
}
