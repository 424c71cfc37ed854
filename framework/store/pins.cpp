#include "framework/store/pins.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/checked_line.h"
#include "framework/store/ingest_parts.h"
#include "framework/store/names.h"
#include "framework/store/publishing.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSchema = "atelier.pin/1";

std::set<std::string> digests_in(const Json& json, const char* name) {
  std::set<std::string> digests;
  for (const Json& each : list_member(json, name)) {
    if (each.is_string() && is_digest(each.get_ref<const std::string&>())) digests.insert(each.get<std::string>());
  }
  return digests;
}

Pin read_pin(const fs::path& file) {
  const Json json = read_json_file(file);
  check_sum(json, file.string());
  if (text_of(text_member(json, "schema")) == kSchema) {
    return {.study = text_of(text_member(json, "study")),
            .manifest = file.stem().string(),
            .keys = digests_in(json, "keys"),
            .held = digests_in(json, "held")};
  }
  throw Error({.where = file.string(),
               .found = "another schema",
               .expected = kSchema,
               .advice = "remove it to give up what it protects"});
}

}  // namespace

void put_pin(const Store& store, const Pin& pin) {
  make_folder(store.root() / "pins");
  const auto file = store.root() / "pins" / (checked_digest(pin.manifest, "manifest") + ".json");
  Pin all = pin;
  if (fs::exists(file)) {
    Pin before = read_pin(file);
    all.keys.merge(before.keys);
    all.held.merge(before.held);
  }
  const Json json{{"schema", kSchema}, {"study", all.study}, {"keys", all.keys}, {"held", all.held}};
  write_file_atomically(file, pretty_json(with_sum(json)));
}

std::vector<Pin> read_pins(const Store& store) {
  std::vector<Pin> pins;
  const auto folder = store.root() / "pins";
  if (!fs::is_directory(folder)) return pins;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".json" && is_digest(entry.path().stem().string()))
      pins.push_back(read_pin(entry.path()));
  }
  std::ranges::sort(pins, {}, &Pin::manifest);
  return pins;
}

}  // namespace atelier
