#include "framework/store/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "framework/core/error.h"

namespace atelier {
namespace {

constexpr int kReadPatience = 5000;  // ms; a reader waits only for a log that is being recovered

Value column(sqlite3_stmt* statement, int i) {
  switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(statement, i));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, i);
    case SQLITE_NULL:
      return std::monostate{};
    default: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      return std::string(text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
    }
  }
}

Row row_of(sqlite3_stmt* statement) {
  Row row;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(column(statement, i));
  return row;
}

int bind_one(sqlite3_stmt* statement, int i, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, i, *integer);
  if (const auto* real = std::get_if<double>(&value)) return sqlite3_bind_double(statement, i, *real);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, i, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, i);
}

}  // namespace

std::string text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return {};
}

std::int64_t integer_of(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* real = std::get_if<double>(&value)) return static_cast<std::int64_t>(*real);
  return 0;
}

Database::Database(std::filesystem::path file) : file_(std::move(file)) {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
  const int code = sqlite3_open_v2(file_.c_str(), &handle_, kFlags, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, kReadPatience);
    return;
  }
  const std::string why = sqlite3_errstr(code);
  sqlite3_close(handle_);
  throw Error({.where = file_.string(),
               .found = "cannot be opened: " + why,
               .expected = "an index that can be written",
               .advice = "look at the disk and call again; the index holds nothing of its own and may be removed"});
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

void Database::fail(int code, const std::string& sql) const {
  const int primary = code & 0xff;
  const std::string text = fmt::format("{} ({})", sqlite3_errmsg(handle_), sql.substr(0, 60));
  // What a damaged page turns up as depends on which page it is; an SQL error is a table that is not there.
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_ERROR || primary == SQLITE_FORMAT ||
      primary == SQLITE_CONSTRAINT || code == SQLITE_IOERR_SHORT_READ || primary == SQLITE_SCHEMA) {
    throw DatabaseDamaged(text);
  }
  throw Error(
      {.where = file_.string(),
       .found = text,
       .expected = "an index that can be read and written",
       .advice = primary == SQLITE_FULL
                     ? "free some space on this disk and call again"
                     : "look at the disk and call again; the index holds nothing of its own and may be removed"});
}

void Database::script(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, sql);
}

sqlite3_stmt* Database::prepared(const std::string& sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr);
  if (code != SQLITE_OK) fail(code, sql);
  return statements_[sql] = statement;
}

void Database::bind(sqlite3_stmt* statement, const Row& parameters, const std::string& sql) const {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const int code = bind_one(statement, static_cast<int>(i + 1), parameters[i]);
    if (code != SQLITE_OK) fail(code, sql);
  }
}

std::vector<Row> Database::run(const std::string& sql, const Row& parameters) {
  sqlite3_stmt* statement = prepared(sql);
  bind(statement, parameters, sql);
  std::vector<Row> rows;
  int code = sqlite3_step(statement);
  for (; code == SQLITE_ROW; code = sqlite3_step(statement)) rows.push_back(row_of(statement));
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (code != SQLITE_DONE) fail(code, sql);
  return rows;
}

bool Database::begin(int wait_ms) {
  sqlite3_busy_timeout(handle_, wait_ms);
  const int code = sqlite3_exec(handle_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  sqlite3_busy_timeout(handle_, kReadPatience);
  if ((code & 0xff) == SQLITE_BUSY) return false;
  if (code != SQLITE_OK) fail(code, "BEGIN IMMEDIATE");
  return true;
}

void Database::rollback() noexcept { sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr); }

}  // namespace atelier
