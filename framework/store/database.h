#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace atelier {

/// NULL, INTEGER, REAL, TEXT.
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;
using Row = std::vector<Value>;

[[nodiscard]] std::string text_of(const Value& value);      ///< "" for NULL, numbers as text
[[nodiscard]] std::int64_t integer_of(const Value& value);  ///< 0 for NULL and text

/// The file is no database, or a page of it is damaged. The index answers by rebuilding it.
class DatabaseDamaged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An SQLite file. Statements are prepared once. Throws Error, or DatabaseDamaged.
class Database {
 public:
  explicit Database(std::filesystem::path file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Several statements without parameters.
  void script(const std::string& sql);
  std::vector<Row> run(const std::string& sql, const Row& parameters = {});
  /// BEGIN IMMEDIATE; false when another process writes and `wait_ms` passed.
  [[nodiscard]] bool begin(int wait_ms);
  void commit() { script("COMMIT"); }
  void rollback() noexcept;

 private:
  [[noreturn]] void fail(int code, const std::string& sql) const;
  void bind(sqlite3_stmt* statement, const Row& parameters, const std::string& sql) const;
  sqlite3_stmt* prepared(const std::string& sql);

  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;                        // owned
  std::map<std::string, sqlite3_stmt*> statements_;  // owned
};

}  // namespace atelier
