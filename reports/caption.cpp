#include "reports/caption.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/store/queries.h"

namespace atelier::reports {
namespace {

constexpr std::size_t kDigits = 12;  // of a digest

std::string plain(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string sampler_text(const Json& sampler) {
  std::string text = plain(member_or_null(sampler, "scheduler"));
  if (const auto steps = member_or_null(sampler, "steps"); !steps.is_null())
    text += fmt::format(", {} steps", steps.dump());
  if (const auto scale = member_or_null(sampler, "guidance"); !scale.is_null())
    text += fmt::format(", guidance {}", scale.dump());
  if (const auto scale = member_or_null(sampler, "reward"); !scale.is_null())
    text += fmt::format(", reward guidance {}", scale.dump());
  for (const auto& [name, value] : member_or_null(sampler, "settings").items())
    text += fmt::format(", {} {}", name, plain(value));
  return text;
}

/// "images_per_prompt=4, text_rule=class": what the study set otherwise than the protocol.
std::string changed_text(const Json& changed) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : changed.items()) {
    if (name == "settings" && value.is_object()) {
      for (const auto& [setting, chosen] : value.items()) parts.push_back(setting + "=" + plain(chosen));
    } else if (!value.is_null()) {
      parts.push_back(name + "=" + plain(value));
    }
  }
  return join(parts);
}

std::string protocol_sentence(const Evaluation& evaluation) {
  std::vector<std::string> parts;
  const Json title = member_or_null(evaluation.settings, "title");
  parts.push_back(title.is_string() ? fmt::format("{} ({})", title.get<std::string>(), evaluation.id)
                                    : "protocol " + evaluation.id);
  for (const auto& [role, digest] : member_or_null(evaluation.settings, "encoders").items()) {
    parts.push_back(fmt::format("encoder {} {}", role, plain(digest).substr(0, kDigits)));
  }
  if (const auto masks = member_or_null(evaluation.settings, "masks"); masks.is_object()) {
    parts.push_back(fmt::format("masks by segmenter {} looking for \"{}\", of photos: {}",
                                plain(member_or_null(masks, "segmenter")).substr(0, kDigits),
                                plain(member_or_null(masks, "text")), plain(member_or_null(masks, "photos"))));
  }
  const Json pictures = member_or_null(evaluation.settings, "pictures");
  if (const auto count = member_or_null(pictures, "images_per_prompt"); count.is_number_integer()) {
    const auto n = count.get<std::int64_t>();
    parts.push_back(fmt::format("{} image{} per prompt", n, n == 1 ? "" : "s"));
  }
  const auto changed = changed_text(member_or_null(evaluation.settings, "changed"));
  parts.push_back(changed.empty() ? "nothing changed" : "changed: " + changed);
  if (evaluation.settings.empty()) parts.pop_back();
  return fmt::format("{}: {}.", evaluation.name, join(parts, "; "));
}

/// How many pictures KID and FID compare: both depend on it (evaluation.md 4, 6.8).
std::vector<std::string> pooled_sentences(Index& index, const StudyFacts& facts, const std::vector<Column>& columns) {
  std::map<std::string, std::set<std::string>> counts;  // by evaluation
  for (const auto& column : columns) {
    if (column.evaluation == nullptr || (column.metric != "kid" && column.metric != "fid")) continue;
    for (const auto& run : facts.runs) {
      const auto scoring = run.scores.find(column.evaluation->name);
      if (scoring == run.scores.end() || scoring->second.keys.size() != 1) continue;
      for (const auto& row : index.query("SELECT text FROM set_score WHERE key = ? AND prompt = '' AND name = ?",
                                         {scoring->second.keys[0], column.metric})) {
        counts[column.evaluation->name].insert(text_of(row[0]));
      }
    }
  }
  std::vector<std::string> sentences;
  for (const auto& [name, texts] : counts) {
    const std::vector<std::string> list(texts.begin(), texts.end());
    sentences.push_back(
        fmt::format("{}: KID and FID of {}, unscaled; they depend on these numbers.", name, join(list, " and ")));
  }
  return sentences;
}

std::vector<std::string> protocol_sentences(const std::vector<Column>& columns) {
  std::vector<std::string> sentences;
  std::set<const Evaluation*> told;
  for (const auto& column : columns) {
    if (column.evaluation == nullptr || !told.insert(column.evaluation).second) continue;
    sentences.push_back(protocol_sentence(*column.evaluation));
  }
  return sentences;
}

/// Methods by the sampler that their published pictures were made with.
std::vector<std::string> sampler_sentences(Index& index, const StudyFacts& facts) {
  std::map<std::string, std::set<std::string>> methods;
  for (const auto& row : index.query(
           "SELECT DISTINCT u.method, json_extract(a.description, '$.sampler') FROM run u JOIN stage_run r USING "
           "(manifest, run) JOIN stage_output o USING (manifest, job) JOIN artifact a ON a.key = o.key WHERE "
           "u.manifest = ? AND a.kind = 'sample'",
           {facts.manifest})) {
    const auto text = text_of(row[1]);
    if (!text.empty()) methods[sampler_text(parse_json(text, "the index"))].insert(text_of(row[0]));
  }
  std::vector<std::string> sentences;
  for (const auto& [sampler, names] : methods) {
    const std::vector<std::string> list(names.begin(), names.end());
    sentences.push_back(methods.size() == 1 ? fmt::format("Sampler: {}.", sampler)
                                            : fmt::format("Sampler: {} ({}).", sampler, join(list)));
  }
  const auto given = index.query(
      "SELECT DISTINCT u.label FROM run u JOIN stage_run r USING (manifest, run) JOIN stage s USING (manifest, job) "
      "WHERE "
      "u.manifest = ? AND s.kind = 'given' ORDER BY u.label",
      {facts.manifest});
  std::vector<std::string> labels;
  for (const auto& row : given) labels.push_back(text_of(row[0]));
  if (!labels.empty()) sentences.push_back(fmt::format("Pictures of other programs: {}.", join(labels)));
  return sentences;
}

std::string counts_sentence(const StudyFacts& facts) {
  std::set<std::string> concepts;
  std::set<std::int64_t> seeds;
  for (const auto& run : facts.runs) {
    concepts.insert(run.subject);
    if (run.seed) seeds.insert(*run.seed);
  }
  std::vector<std::string> numbers;
  for (const auto seed : seeds) numbers.push_back(fmt::format("{}", seed));
  return fmt::format("{} concept{}; training seed{} {}.", concepts.size(), concepts.size() == 1 ? "" : "s",
                     seeds.size() == 1 ? "" : "s", numbers.empty() ? "none" : join(numbers));
}

/// What the device, precision and the like were, where scores that stand together differ in it.
std::vector<std::string> mixture_sentences(Index& index, const StudyFacts& facts, const std::vector<Column>& columns) {
  std::vector<std::string> sentences;
  std::set<const Evaluation*> told;
  for (const auto& column : columns) {
    if (column.evaluation == nullptr || !told.insert(column.evaluation).second) continue;
    std::set<std::string> classes, keys;
    for (const auto& run : facts.runs) {
      const auto scoring = run.scores.find(column.evaluation->name);
      if (scoring != run.scores.end()) keys.insert(scoring->second.keys.begin(), scoring->second.keys.end());
    }
    for (const auto& key : keys) {
      const auto rows =
          index.query("SELECT json_extract(description, '$.numerics_class') FROM artifact WHERE key = ?", {key});
      if (!rows.empty() && !text_of(rows[0][0]).empty()) classes.insert(text_of(rows[0][0]));
    }
    const std::vector<std::string> list(classes.begin(), classes.end());
    if (list.size() > 1)
      sentences.push_back(fmt::format("{} mixes numerics: {}.", column.evaluation->name, join(list, " and ")));
  }
  return sentences;
}

std::string failure_text(const std::string& error) {
  if (!error.starts_with('{')) return error;
  const Json json = parse_json(error, "the index");
  if (const auto text = member_or_null(json, "text"); text.is_string()) return text.get<std::string>();
  const Json where = member_or_null(json, "where"), found = member_or_null(json, "found");
  return (where.is_string() ? where.get<std::string>() + ": " : "") +
         (found.is_string() ? found.get<std::string>() : "");
}

std::vector<std::string> failure_sentences(Index& index, const StudyFacts& facts) {
  std::map<std::string, std::set<std::int64_t>> jobs;
  for (const auto& failure : failures_of(index, facts.manifest)) {
    const auto kind = failure.failure_class.empty() ? failure.kind : failure.kind + ", " + failure.failure_class;
    jobs[fmt::format("{}: {}", kind, failure_text(failure.error))].insert(failure.job);
  }
  std::vector<std::string> sentences;
  for (const auto& [text, numbers] : jobs) {
    sentences.push_back(fmt::format("† {} job{} failed ({}", numbers.size(), numbers.size() == 1 ? "" : "s", text) +
                        ").");
  }
  return sentences;
}

/// "clip_i ±0.02": what was fixed beforehand.
std::string margins_sentence(const Table& table) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < table.margins.size(); ++i) {
    if (table.margins[i]) parts.push_back(fmt::format("{} ±{}", table.columns[i], *table.margins[i]));
  }
  return fmt::format("Equivalent: the interval lies within {}.", join(parts));
}

bool any_cell(const Table& table, const auto& holds) {
  return std::ranges::any_of(table.rows, [&](const TableRow& row) { return std::ranges::any_of(row.cells, holds); });
}

}  // namespace

std::vector<std::string> caption_of(Index& index, const StudyFacts& facts, const std::vector<Column>& columns,
                                    const Table& table) {
  std::vector<std::string> caption;
  caption.push_back(fmt::format("Study {} (manifest {}): mean over concepts ± standard error.", table.study,
                                facts.manifest.substr(0, kDigits)));
  caption.push_back(counts_sentence(facts));
  for (const auto& part :
       {protocol_sentences(columns), pooled_sentences(index, facts, columns), sampler_sentences(index, facts)}) {
    caption.insert(caption.end(), part.begin(), part.end());
  }
  if (!table.compare_to.empty()) {
    caption.push_back(
        fmt::format("Δ: paired difference from {}{}, with a 95 % bootstrap interval over concepts and the p of a "
                    "sign-flip test, Holm-corrected over the table.",
                    table.compare_to,
                    table.compare_axes.empty()
                        ? ""
                        : fmt::format(" of the same {} (–: there is none)", join(table.compare_axes, " and "))));
    if (!table.margins.empty()) caption.push_back(margins_sentence(table));
  }
  return caption;
}

std::vector<std::string> notes_of(Index& index, const StudyFacts& facts, const std::vector<Column>& columns,
                                  const Table& table) {
  std::vector<std::string> notes = mixture_sentences(index, facts, columns);
  if (any_cell(table, [](const Cell& cell) {
        return cell.concepts < cell.concepts_expected || cell.runs < cell.runs_expected;
      }))
    notes.emplace_back("(n of N): only n of the row's N concepts, or runs, have a score.");
  if (any_cell(table, [](const Cell& cell) { return cell.failed; })) {
    notes.emplace_back("† Something is missing because a job failed.");
    const auto failures = failure_sentences(index, facts);
    notes.insert(notes.end(), failures.begin(), failures.end());
  }
  if (any_cell(table, [](const Cell& cell) { return cell.divergent; }))
    notes.emplace_back("‡ A job gave other bytes when it ran again; the first are used.");
  if (any_cell(table, [](const Cell& cell) { return cell.dropped > 0; }))
    notes.emplace_back("§ Pictures or sets without this score are left out.");
  if (any_cell(table, [](const Cell& cell) { return cell.ambiguous; }))
    notes.emplace_back("¶ Two scorings of a run fit the column, and none of them is shown.");
  if (any_cell(table, [](const Cell& cell) { return cell.stale; }))
    notes.emplace_back("° Stale: pictures were made anew, with other bytes, after they were scored.");
  return notes;
}

}  // namespace atelier::reports
