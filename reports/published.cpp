#include "reports/published.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "reports/cell_text.h"
#include "reports/scores.h"
#include "reports/table.h"

namespace atelier::reports {
namespace {

/// Where each published column stands among ours; none: beside.
std::vector<std::optional<std::size_t>> places_of(const PublishedTable& published, const std::vector<Column>& columns) {
  std::vector<std::optional<std::size_t>> places;
  for (const auto& name : published.columns) {
    auto& place = places.emplace_back();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto& ours = columns[i];
      if (ours.evaluation == nullptr) continue;
      const bool same = ours.evaluation->id == published.protocol;
      if (name == ours.name && !same) {
        throw Error(
            {.where = fmt::format("published {}: column {}", published.id, name),
             .found = fmt::format("numbers of the protocol {}", published.protocol),
             .expected = fmt::format("those of {}, which stand in this column", ours.evaluation->id),
             .advice = "two protocols never share a column; call it " + ours.metric + ", and it gets a table beside"},
            ErrorKind::usage);
      }
      if (same && !place && (name == ours.name || name == ours.metric)) place = i;
    }
  }
  return places;
}

void add_rows(const PublishedTable& published, const std::vector<std::optional<std::size_t>>& places, Table& table) {
  for (const auto& row : published.rows) {
    TableRow added{row.method + ", published", "published", Json::object(), std::vector<Cell>(table.columns.size())};
    bool any = false;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (!places[i] || !row.values[i]) continue;
      added.cells[*places[i]].mean = row.values[i];
      any = true;
    }
    if (any) table.rows.push_back(std::move(added));
  }
}

std::string told(const PublishedTable& published) {
  return fmt::format("{}: {} (protocol {}; {})", published.title, published.setting, published.protocol,
                     published.source);
}

/// The columns that have no place, with every row.
void add_side(const PublishedTable& published, const std::vector<std::optional<std::size_t>>& places, Table& table) {
  SideTable side{.title = fmt::format("Published, not comparable with the columns above: {}.", told(published)),
                 .heads = {"row"},
                 .rows = {}};
  for (const auto& row : published.rows) side.rows.push_back({row.method});
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i]) continue;
    side.heads.push_back(published.columns[i]);
    for (std::size_t j = 0; j < published.rows.size(); ++j) {
      const auto& value = published.rows[j].values[i];
      side.rows[j].push_back(value ? fmt::format("{}", *value) : "–");
    }
  }
  if (side.heads.size() > 1) table.sides.push_back(std::move(side));
}

}  // namespace

void add_published(const PublishedTable& published, const std::vector<Column>& columns, Table& table) {
  const auto places = places_of(published, columns);
  const auto placed = [](const std::optional<std::size_t>& place) { return place.has_value(); };
  if (std::ranges::any_of(places, placed)) {
    add_rows(published, places, table);
    table.caption.push_back(fmt::format("Published, by other programs: {}.", told(published)));
  }
  add_side(published, places, table);
}

}  // namespace atelier::reports
