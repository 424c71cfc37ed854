#include "framework/store/index.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <optional>

#include "framework/core/error.h"
#include "framework/store/ingest.h"
#include "framework/store/publishing.h"
#include "framework/store/schema.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr int kPatience = 5000;  // ms to wait where the index must be made; ingesting never waits

/// SQLite's write-ahead log needs memory shared by all its users, which these do not give.
bool on_network(const fs::path& folder) {
  constexpr std::array<std::uint32_t, 9> kNetwork{NFS_SUPER_MAGIC,       SMB_SUPER_MAGIC,  0xff534d42 /* CIFS */,
                                                  0xfe534d42 /* SMB2 */, CEPH_SUPER_MAGIC, 0x0bd00bd0 /* Lustre */,
                                                  0x47504653 /* GPFS */, AFS_SUPER_MAGIC,  0x19830326 /* BeeGFS */};
  struct statfs status {};
  if (::statfs(folder.c_str(), &status) != 0) return false;
  return std::ranges::find(kNetwork, static_cast<std::uint32_t>(status.f_type)) != kNetwork.end();
}

fs::path state_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value != nullptr ? value : "");
  };
  const auto state = variable("XDG_STATE_HOME");
  if (state.is_absolute()) return state / "atelier";
  const auto home = variable("HOME");
  if (home.is_absolute()) return home / ".local" / "state" / "atelier";
  throw Error({.where = "XDG_STATE_HOME", .found = "neither it nor HOME is set", .expected = "a folder for the index"});
}

void remove_database(const fs::path& file) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code ignored;
    fs::remove(file.string() + suffix, ignored);
  }
}

std::string literal(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return "NULL";
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:a}", *real);
  return text_of(value);
}

}  // namespace

fs::path Index::file_of(const Store& store) {
  const bool writable = ::faccessat(AT_FDCWD, store.root().c_str(), W_OK | X_OK, AT_EACCESS) == 0;
  if (writable && !on_network(store.root())) return store.root() / "index.sqlite";
  return state_folder() / (store.id() + ".sqlite");
}

Index::Index(const Store& store, fs::path file)
    : store_(store), file_(file.empty() ? file_of(store) : std::move(file)) {
  std::error_code fault;
  fs::create_directories(file_.parent_path(), fault);
  mend([this] {
    open();
    ingest_new(0);
  });
}

void Index::mend(const std::function<void()>& work) {
  try {
    return work();
  } catch (const DatabaseDamaged& damage) {
    tell(fmt::format("{}: rebuilt, because it was damaged: {}", file_.string(), damage.what()));
  }
  rebuild();
}

FileDescriptor Index::lock_making() const { return lock_file(file_.string() + ".lock", true); }

void Index::open() {
  database_ = std::make_unique<Database>(file_);
  if (is_empty(*database_)) {
    const auto lock = lock_making();
    make();
  }
  database_->script("PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON");
  if (has_schema(*database_)) return;
  tell(fmt::format("{}: rebuilt, because another version made it", file_.string()));
  rebuild();
}

/// Under the lock of making; another process may have been faster. The log's mode comes first: changing it later would
/// need a moment without readers.
void Index::make() {
  database_->script("PRAGMA journal_mode = WAL");
  if (!database_->begin(kPatience)) {
    throw Error({.where = file_.string(), .found = "locked by another process", .expected = "the lock within 5 s"});
  }
  if (is_empty(*database_)) create_schema(*database_);
  database_->commit();
}

void Index::rebuild() {
  database_.reset();
  const auto lock = lock_making();
  remove_database(file_);
  database_ = std::make_unique<Database>(file_);
  make();
  database_->script("PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON");
  ingest_new(kPatience);
}

bool Index::refresh() {
  bool fresh = true;
  mend([&] { fresh = ingest_new(0); });
  return fresh;
}

bool Index::ingest_new(int wait_ms) {
  if (!database_->begin(wait_ms)) {
    tell_age();
    return false;
  }
  try {
    ingest(*database_, store_);
    database_->run("INSERT OR REPLACE INTO fact VALUES ('ingested_at', ?)", {fmt::format("{}", std::time(nullptr))});
    database_->commit();
  } catch (...) {
    database_->rollback();
    throw;
  }
  tell_damage();
  return true;
}

void Index::tell(std::string message) {
  if (std::ranges::find(messages_, message) == messages_.end()) messages_.push_back(std::move(message));
}

void Index::tell_age() {
  const auto rows = database_->run("SELECT value FROM fact WHERE name = 'ingested_at'");
  const std::string age =
      rows.empty() ? "empty" : fmt::format("{} s old", std::time(nullptr) - std::atoll(text_of(rows[0][0]).c_str()));
  tell(fmt::format("{}: another process is bringing it up to date; this view is {}", file_.string(), age));
}

void Index::tell_damage() {
  const auto rows = database_->run("SELECT place, text FROM damage ORDER BY place LIMIT 5");
  for (const auto& row : rows) tell(fmt::format("{}: {}", text_of(row[0]), text_of(row[1])));
  const auto all = integer_of(database_->run("SELECT count(*) FROM damage")[0][0]);
  if (all > 5) tell(fmt::format("and {} more damaged places; `atelier verify` lists them", all - 5));
}

std::vector<Row> Index::query(const std::string& sql, const Row& parameters) {
  std::optional<std::vector<Row>> rows;
  mend([&] { rows = database_->run(sql, parameters); });
  return rows ? *std::move(rows) : database_->run(sql, parameters);
}

std::string Index::dump() {
  std::string text;
  for (const auto table : kContentTables) {
    text += fmt::format("-- {}\n", table);
    for (const auto& row : query(fmt::format("SELECT * FROM {}", table))) {  // in the order of the primary key
      for (const auto& value : row) text += literal(value) + "|";
      text += '\n';
    }
  }
  return text;
}

std::vector<std::string> Index::check() {
  std::vector<std::string> faults;
  for (const auto& row : query("PRAGMA integrity_check")) {
    if (text_of(row[0]) != "ok") faults.push_back(text_of(row[0]));
  }
  return faults;
}

}  // namespace atelier
