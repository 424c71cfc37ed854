#include "reports/study_tables.h"

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier::reports {
namespace {

Json tables_of(Index& index, const std::string& manifest) {
  const auto rows = index.query("SELECT tables FROM study WHERE manifest = ?1", {manifest});
  const std::string text = rows.empty() ? "" : text_of(rows.front().at(0));
  return text.empty() ? Json::object() : parse_json(text, "index");
}

}  // namespace

std::vector<std::string> table_names(Index& index, const std::string& manifest) {
  std::vector<std::string> names;
  const Json tables = tables_of(index, manifest);
  for (const auto& [name, unused] : tables.items()) names.push_back(name);
  return names;
}

TableRequest study_request(Index& index, const std::string& manifest, const std::string& name) {
  const Json tables = tables_of(index, manifest);
  const std::string chosen = name.empty() && tables.size() == 1 ? tables.begin().key() : name;
  if (chosen.empty()) return {};
  if (!tables.contains(chosen)) {
    const auto names = table_names(index, manifest);
    throw Error({.where = "--table",
                 .found = chosen,
                 .expected = names.empty() ? "a study that names tables" : "one of " + join(names)},
                ErrorKind::usage);
  }
  const Json& table = tables.at(chosen);
  return {.study = {},
          .rows = table.at("rows").get<std::vector<std::string>>(),
          .columns = table.at("columns").get<std::vector<std::string>>(),
          .over = table.at("over").get<std::vector<std::string>>(),
          .compare_to = table.at("compare_to").get<std::string>(),
          .margins = table.value("margins", std::map<std::string, double>()),
          .select = selection_from(table.value("select", Json()))};
}

}  // namespace atelier::reports
