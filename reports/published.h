#pragma once

#include <optional>
#include <string>
#include <vector>

namespace atelier::reports {

/// A table of a paper: numbers that stand there, as they stand there.
struct PublishedTable {
  std::string id;        ///< "core_t1"
  std::string title;     ///< "CoRe, Table 1 (arXiv:2408.15914v1)"
  std::string protocol;  ///< id of ours that the paper's evaluation is, else a name of its own
  std::string setting;   ///< what was evaluated how
  std::string source;    ///< where the numbers were read
  struct Row {
    std::string method;
    std::vector<std::optional<double>> values;  ///< as long as the columns
  };
  std::vector<std::string> columns;  ///< scores ("clip_i"); a column of ours ("ti_code.clip_i") only of its protocol
  std::vector<Row> rows;
};

struct Column;
struct Table;

/// Puts the numbers into the columns of the same protocol and score, as rows of the kind "published", and those that
/// fit none into a table of their own beside. Throws Error (usage) where a published column names one of ours whose
/// protocol is another: numbers of two protocols never share a column.
void add_published(const PublishedTable& published, const std::vector<Column>& columns, Table& table);

}  // namespace atelier::reports
