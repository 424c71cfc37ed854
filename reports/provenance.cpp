#include "reports/provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/ingest_parts.h"
#include "framework/store/manifest_parts.h"
#include "framework/store/queries.h"
#include "reports/escape.h"

namespace atelier::reports {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShownDigits = 12;
constexpr std::size_t kLongestLicence = 256u << 10;  // bytes

std::string cell_of(const std::string& text) { return "<td class=\"text\">" + escape_html(text) + "</td>"; }

std::string plain_text(const Json& json) { return json.is_string() ? json.get<std::string>() : json.dump(); }

/// "device cpu, dtype float32, threads 1".
std::string members_text(const Json& json) {
  std::string text;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_null()) text += (text.empty() ? "" : ", ") + name + " " + plain_text(value);
  }
  return text;
}

std::string base_models(const Json& manifest) {
  std::map<std::string, std::string> names;  // by digest
  for (const auto& job : list_member(manifest, "jobs")) {
    const auto digest = text_of(text_member(job, "base"));
    const auto model = text_of(text_member(member_of(manifest, object_member(job, "job"), "base"), "model"));
    if (!digest.empty()) names.try_emplace(digest, fs::path(model).filename().string());
  }
  std::string html;
  for (const auto& [digest, name] : names) {
    html += "<p>Base model " + escape_html(name) + " <code>" + escape_html(digest) + "</code></p>\n";
  }
  return html;
}

std::string attempts_table(Index& index, const std::string& manifest) {
  std::string html =
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"What computed\">\n<table>\n<thead><tr>"
      "<th scope=\"col\">work</th><th scope=\"col\">attempts</th><th scope=\"col\">device</th><th scope=\"col\">dtype"
      "</th><th scope=\"col\">threads</th><th scope=\"col\">LibTorch</th><th scope=\"col\">build</th></tr></thead>\n"
      "<tbody>\n";
  for (const auto& row : index.query("SELECT t.kind, count(DISTINCT t.attempt), t.device, t.dtype, t.threads, t.torch, "
                                     "t.build FROM attempt t JOIN "
                                     "attempt_key k USING (attempt) JOIN stage_output o ON o.key = k.key WHERE "
                                     "o.manifest = ? GROUP BY 1, 3, 4, 5, "
                                     "6, 7 ORDER BY 1, 3, 4, 5, 6, 7",
                                     {manifest})) {
    const bool threads = !std::holds_alternative<std::monostate>(row[4]);
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td>", escape_html(text_of(row[0])), integer_of(row[1])) +
            cell_of(text_of(row[2])) + cell_of(text_of(row[3])) +
            cell_of(threads ? fmt::format("{}", integer_of(row[4])) : "") + cell_of(text_of(row[5])) +
            cell_of(text_of(row[6])) + "</tr>\n";
  }
  return html + "</tbody>\n</table>\n</div>\n";
}

std::string jobs_text(const StatusCounts& jobs) {
  std::string text = fmt::format("{} done", jobs.done);
  if (jobs.failed > 0) text += fmt::format(", {} failed", jobs.failed);
  if (jobs.pending > 0) text += fmt::format(", {} not yet", jobs.pending);
  return text;
}

/// The key and object of a run's last training.
std::string artifact_cell(Index& index, const std::string& manifest, const std::string& run) {
  std::string key, object;
  for (const auto& artifact : artifacts_of(index, manifest, run)) {
    if ((artifact.kind != "train" && artifact.kind != "merge") || !artifact.own) continue;
    key = artifact.key;
    object = artifact.object;
  }
  if (key.empty()) return "<td></td>";
  return "<td class=\"text\" title=\"" + escape_html("key " + key + "\nobject " + (object.empty() ? "–" : object)) +
         "\"><code>" + escape_html(key.substr(0, kShownDigits)) + "</code></td>";
}

std::string runs_table(Index& index, const std::string& manifest) {
  std::string html =
      "<details><summary>All runs, with their keys</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"All runs\">\n<table>\n<thead><tr><th scope=\"col\">run</th><th scope=\"col\">label</th><th "
      "scope=\"col\">concept</th><th scope=\"col\">seed</th><th scope=\"col\">step</th><th scope=\"col\">jobs</th><th "
      "scope=\"col\">artifact's key</th></tr></thead>\n<tbody>\n";
  for (const auto& run : runs_of(index, manifest)) {
    html += "<tr><th scope=\"row\"><code>" + escape_html(run.run) + "</code></th>" + cell_of(run.label) +
            cell_of(run.concept_name) + cell_of(run.seed ? fmt::format("{}", *run.seed) : "") +
            cell_of(run.checkpoint ? fmt::format("{}", *run.checkpoint) : "") + cell_of(jobs_text(run.jobs)) +
            artifact_cell(index, manifest, run.run) + "</tr>\n";
  }
  return html + "</tbody>\n</table>\n</div>\n</details>\n";
}

bool is_licence(const std::string& name) {
  std::string upper;
  for (const char c : name) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return std::ranges::any_of(std::initializer_list<const char*>{"LICENSE", "LICENCE", "ATTRIBUTION", "COPYING"},
                             [&](const char* begin) { return upper.starts_with(begin); });
}

/// Texts of licence files by their names for the reader, "cat/LICENSE.md".
void read_licences(const fs::path& folder, std::set<std::pair<std::string, std::string>>& texts) {
  std::error_code unreadable;
  for (fs::directory_iterator entry(folder, unreadable), end; !unreadable && entry != end;
       entry.increment(unreadable)) {
    const auto name = entry->path().filename().string();
    if (!is_licence(name) || !entry->is_regular_file(unreadable)) continue;
    try {
      texts.emplace((folder.filename() / name).string(), read_text_file(entry->path(), kLongestLicence));
    } catch (const Error&) {
      texts.emplace((folder.filename() / name).string(), "(cannot be read)");
    }
  }
}

std::string details(const std::string& title, const std::string& text) {
  return "<details><summary>" + escape_html(title) + "</summary>\n<pre tabindex=\"0\">" + escape_html(text) +
         "</pre>\n</details>\n";
}

}  // namespace

std::string provenance_html(Index& index, const Store& store, const std::string& manifest) {
  const Json plan = store.manifest(manifest);
  std::string html = "<p>Manifest <code>" + escape_html(manifest) + "</code></p>\n";
  if (const auto text = members_text(object_member(plan, "placement")); !text.empty()) {
    html += "<p>Placement: " + escape_html(text) + ".</p>\n";
  }
  html += "<p>Jobs: " + jobs_text(status_of_manifest(index, manifest)) + ".</p>\n";
  return html + base_models(plan) + attempts_table(index, manifest) + runs_table(index, manifest);
}

std::string study_text_html(const Json& manifest) {
  std::string html;
  for (const auto& change : list_member(manifest, "overrides")) {
    html += "<p>Changed by the command line: <code>" + escape_html(plain_text(change)) + "</code></p>\n";
  }
  return html + "<pre tabindex=\"0\">" + escape_html(text_of(text_member(manifest, "yaml"))) + "</pre>\n";
}

std::string licences_html(const std::vector<ConceptGrid>& grids, const std::string& data_texts) {
  std::set<std::pair<std::string, std::string>> texts;
  std::set<fs::path> folders;
  for (const auto& grid : grids) {
    for (const auto& photo : grid.photos) {
      const auto folder = fs::path(photo.path).parent_path();
      folders.insert({folder, folder.parent_path()});
    }
  }
  for (const auto& folder : folders) read_licences(folder, texts);
  std::string html;
  if (texts.empty()) html += "<p>No licence file lies beside the photos.</p>\n";
  for (const auto& [name, text] : texts) html += details(name, text);
  return data_texts.empty() ? html : html + details("prompts, protocols and concept sets", data_texts);
}

}  // namespace atelier::reports
