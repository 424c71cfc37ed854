#include "framework/cli/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/data_folder.h"
#include "reports/published.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSchema = "published/1";

[[noreturn]] void refuse_published(const fs::path& path, const std::string& place, const std::string& expected) {
  throw Error({.where = path.string(), .found = place, .expected = expected}, ErrorKind::usage);
}

std::string published_text(const Json& json, const char* name, const fs::path& path, const std::string& place) {
  const Json value = json.is_object() ? json.value(name, Json()) : Json();
  if (!value.is_string() || value.get<std::string>().empty()) {
    refuse_published(path, fmt::format("{}: no text `{}`", place, name),
                     "id, title, protocol, setting, source, columns, rows");
  }
  return value.get<std::string>();
}

reports::PublishedTable::Row published_row(const Json& json, std::size_t columns, const fs::path& path,
                                           const std::string& place) {
  reports::PublishedTable::Row row{.method = published_text(json, "method", path, place), .values = {}};
  const Json values = json.value("values", Json());
  if (!values.is_array() || values.size() != columns) {
    refuse_published(path, fmt::format("{}: {} values", place, values.is_array() ? values.size() : 0),
                     fmt::format("{}, one for each column (null where there is none)", columns));
  }
  for (const Json& value : values) {
    if (!value.is_number() && !value.is_null()) refuse_published(path, place + ": " + value.dump(), "a number or null");
    row.values.push_back(value.is_null() ? std::nullopt : std::optional(value.get<double>()));
  }
  return row;
}

reports::PublishedTable published_table(const Json& json, const fs::path& path, std::size_t number) {
  const auto place = fmt::format("tables[{}]", number);
  reports::PublishedTable table{.id = published_text(json, "id", path, place),
                                .title = published_text(json, "title", path, place),
                                .protocol = published_text(json, "protocol", path, place),
                                .setting = published_text(json, "setting", path, place),
                                .source = published_text(json, "source", path, place),
                                .columns = {},
                                .rows = {}};
  const Json columns = json.value("columns", Json::array()), rows = json.value("rows", Json::array());
  for (const Json& column : columns) {
    if (!column.is_string()) refuse_published(path, place + ".columns: " + column.dump(), "names of scores");
    table.columns.push_back(column.get<std::string>());
  }
  for (const Json& row : rows) {
    table.rows.push_back(
        published_row(row, table.columns.size(), path, fmt::format("{}.rows[{}]", place, table.rows.size())));
  }
  if (table.columns.empty() || table.rows.empty())
    refuse_published(path, place + ": no columns or rows", "at least one of each");
  return table;
}

std::vector<reports::PublishedTable> tables_in(const fs::path& path) {
  const Json json = read_yaml_file(path);
  check_schema(json, kSchema, path);
  std::vector<reports::PublishedTable> tables;
  const Json list = json.value("tables", Json::array());
  for (const Json& table : list) tables.push_back(published_table(table, path, tables.size()));
  return tables;
}

}  // namespace

std::vector<reports::PublishedTable> read_published(const std::vector<std::string>& names) {
  std::vector<reports::PublishedTable> chosen;
  for (const auto& name : names) {
    if (name.ends_with(".yaml")) {
      for (auto& table : tables_in(name)) chosen.push_back(std::move(table));
      continue;
    }
    auto known = tables_in(data_folder() / "published.yaml");
    const auto found = std::ranges::find(known, name, &reports::PublishedTable::id);
    if (found == known.end()) {
      std::vector<std::string> ids;
      for (const auto& table : known) ids.push_back(table.id);
      const auto near = nearest(name, ids);
      throw Error({.where = "--published",
                   .found = fmt::format("\"{}\"", name),
                   .expected = "a file .yaml, or one of " + join(ids, ", ", 20),
                   .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                  ErrorKind::usage);
    }
    chosen.push_back(std::move(*found));
  }
  return chosen;
}

}  // namespace atelier::cli
