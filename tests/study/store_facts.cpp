#include "tests/study/store_facts.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/store/spool.h"
#include "framework/store/store.h"

using atelier::Json;

StoreFacts::StoreFacts(const std::string& store) {
  const auto event = [this](const Json& line) {
    const std::string type = line.value("type", "");
    if (type == "attempt") {
      for (const Json& key : line.at("job_keys")) ++attempts_[key.get<std::string>()];
    }
    if (type == "published") ++publications_[line.at("key").get<std::string>()];
    if (type == "divergence") ++divergences_;
  };
  for (const auto& entry : std::filesystem::directory_iterator(atelier::Store::open(store).spool_folder())) {
    atelier::read_spool(entry.path(), 0, event, [](std::uint64_t, const std::string&) {});
  }
}
