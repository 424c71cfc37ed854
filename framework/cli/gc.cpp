#include "framework/store/gc.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/store_option.h"

namespace atelier::cli {
namespace {

struct GcOptions {
  std::string store;
  bool dry_run = false, json = false;
};

std::string size_text(std::uintmax_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

void print_json(const Store& store, const GcReport& report, bool dry_run) {
  Json out{{"store", store.root().string()}, {"dry_run", dry_run}, {"bytes", report.bytes}, {"removed", Json::array()}};
  for (const RemovedFile& file : report.removed)
    out["removed"].push_back({{"path", file.path}, {"bytes", file.bytes}, {"kind", file.kind}});
  for (const KeptObject& kept : report.kept) {
    out["kept"].push_back({{"path", kept.path}, {"bytes", kept.bytes}, {"kind", kept.kind}, {"reason", kept.reason}});
  }
  fmt::print("{}", pretty_json(out));
}

/// A line for each kind of what goes, and why the largest of what stays does.
void print_kinds(const GcReport& report) {
  std::map<std::string, std::pair<std::size_t, std::uintmax_t>> kinds;
  for (const RemovedFile& file : report.removed) {
    auto& [count, bytes] = kinds[file.kind];
    ++count;
    bytes += file.bytes;
  }
  for (const auto& [kind, sum] : kinds)
    fmt::print("  {:<10} {:>6} file{}  {}\n", kind, sum.first, sum.first == 1 ? " " : "s", size_text(sum.second));
  if (report.kept.empty()) return;
  fmt::print("the largest that stay:\n");
  for (const KeptObject& kept : report.kept)
    fmt::print("  {:<10} {:>9}  {}: {}\n", kept.kind, size_text(kept.bytes), kept.path.substr(0, 22), kept.reason);
}

/// "removed 12 files (3.4 MB): 2 in keys, 10 in objects"
void print_text(const GcReport& report, bool dry_run) {
  std::map<std::string, std::size_t> folders;
  for (const RemovedFile& file : report.removed) {
    if (dry_run) fmt::print("{}  {}\n", file.path, size_text(file.bytes));
    ++folders[file.path.substr(0, file.path.find('/'))];
  }
  std::string parts;
  for (const auto& [folder, count] : folders)
    parts += fmt::format("{} {} in {}", parts.empty() ? ":" : ",", count, folder);
  fmt::print("{} {} file{} ({}){}\n", dry_run ? "would remove" : "removed", report.removed.size(),
             report.removed.size() == 1 ? "" : "s", size_text(report.bytes), parts);
  if (dry_run) print_kinds(report);
}

int collect(const GcOptions& options) {
  const Store store = open_store(options.store);
  const GcReport report = collect_garbage(store, options.dry_run);
  options.json ? print_json(store, report, options.dry_run) : print_text(report, options.dry_run);
  return 0;
}

}  // namespace

void add_gc(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("gc", "Remove what no study in the store needs");
  const auto options = std::make_shared<GcOptions>();
  app->footer(
      "To give up a study's results, remove its file in the store's folder manifests first, and in pins where its\n"
      "bundle was exported.\n"
      "Examples:\n  atelier gc --dry-run\n  atelier gc --store results");
  add_store(*app, options->store);
  app->add_flag("--dry-run", options->dry_run, "say what would be removed and remove nothing");
  app->add_flag("--json", options->json, "as JSON");
  app->callback([options, &action] { action = [options] { return collect(*options); }; });
}

}  // namespace atelier::cli
