#include "reports/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/files/zip_archive.h"
#include "framework/image/decode.h"
#include "framework/store/ingest_parts.h"
#include "framework/store/manifest_parts.h"
#include "reports/facts.h"

namespace atelier::reports {
namespace {

std::string member_text(const Json& json, const char* name) { return text_of(text_member(json, name)); }

/// A run's jobs in a manifest, and what the index knows of their outputs.
class GridReader {
 public:
  GridReader(Index& index, const Json& manifest, const std::string& digest) : manifest_(manifest) {
    for (const auto& job : list_member(manifest, "jobs")) {
      for (const auto& run : list_member(job, "runs")) {
        if (run.is_string()) jobs_[run.get<std::string>()].push_back(&job);
      }
    }
    for (const auto& row : index.query("SELECT key, object FROM artifact WHERE kind IN ('sample', 'given')")) {
      objects_[text_of(row[0])] = text_of(row[1]);
    }
    for (const auto& row :
         index.query("SELECT o.key FROM job_status s JOIN stage_output o USING (manifest, job) LEFT JOIN artifact a ON "
                     "a.key = o.key WHERE s.manifest = ? AND s.status = 'failed' AND a.key IS NULL",
                     {digest})) {
      failed_.insert(text_of(row[0]));
    }
    read_roles();
  }

  /// The concept's photos: those that it was trained on, else those that its pictures were compared with.
  void read_photos(const std::string& run, ConceptGrid& grid) const {
    for (const Json* job : jobs_of(run)) {
      const Json content = job_content(manifest_, *job);
      if (grid.class_word.empty()) grid.class_word = member_text(object_member(content, "concept"), "class_word");
      if (!grid.photos.empty()) continue;
      for (const char* list : {"photos", "references"}) {
        if (!grid.photos.empty()) break;
        for (const auto& photo : list_member(content, list)) {
          const PhotoFile file{member_text(photo, "path"), member_text(photo, "sha256")};
          if (!file.path.empty()) grid.photos.push_back(file);
        }
      }
    }
  }

  void read_prompts(const std::string& run, std::vector<GridPrompt>& prompts) const {
    for_each_output(run, [&](const std::string& id, const Json& output) {
      const auto has = [&](const GridPrompt& prompt) { return prompt.id == id; };
      if (std::ranges::any_of(prompts, has)) return;
      const auto role = roles_.find(id);
      if (role != roles_.end() && role->second == "drift") return;  // hundreds, and none shows the concept
      prompts.push_back({id, member_text(output, "template"), role == roles_.end() ? "" : role->second});
    });
  }

  /// Where evaluations want pictures of one prompt otherwise, the first.
  [[nodiscard]] std::vector<GridCell> cells(const std::string& run, const std::vector<GridPrompt>& prompts) const {
    std::vector<GridCell> cells(prompts.size());
    for_each_output(run, [&](const std::string& id, const Json& output) {
      const auto place = std::ranges::find(prompts, id, &GridPrompt::id);
      if (place == prompts.end()) return;
      GridCell& cell = cells[static_cast<std::size_t>(place - prompts.begin())];
      if (!cell.key.empty()) return;
      cell.key = member_text(output, "key");
      cell.text = member_text(output, "text");
      cell.expected = static_cast<std::int64_t>(list_member(output, "seeds").size());
      if (const auto found = objects_.find(cell.key); found != objects_.end()) cell.object = found->second;
      cell.failed = failed_.contains(cell.key);
    });
    return cells;
  }

 private:
  [[nodiscard]] std::vector<const Json*> jobs_of(const std::string& run) const {
    const auto found = jobs_.find(run);
    return found == jobs_.end() ? std::vector<const Json*>{} : found->second;
  }

  void for_each_output(const std::string& run, const auto& visit) const {
    for (const Json* job : jobs_of(run)) {
      const std::string kind = member_text(*job, "kind");
      if (kind != "sample" && kind != "given") continue;
      for (const auto& output : list_member(*job, "outputs")) visit(member_text(output, "prompt_id"), output);
    }
  }

  void read_roles() {
    for (const auto& job : list_member(manifest_, "jobs")) {
      for (const auto& set : list_member(object_member(job, "job"), "sets")) {
        roles_.try_emplace(member_text(set, "prompt_id"), member_text(set, "role"));
      }
    }
  }

  const Json& manifest_;  // borrowed
  std::map<std::string, std::vector<const Json*>> jobs_;
  std::map<std::string, std::string> objects_, roles_;
  std::set<std::string> failed_;
};

/// `count` of `all`, evenly spread, the first among them.
std::vector<std::size_t> spread(const std::vector<std::size_t>& all, std::size_t count) {
  if (count >= all.size()) return all;
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(all[i * all.size() / count]);
  return chosen;
}

void choose_prompts(std::vector<GridPrompt>& prompts, std::size_t limit) {
  if (prompts.size() <= limit) return;
  std::vector<std::size_t> reconstruction, others;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    (prompts[i].role == "reconstruction" ? reconstruction : others).push_back(i);
  }
  std::size_t few = std::min(reconstruction.size(), std::max<std::size_t>(1, limit / 4));
  if (few + others.size() < limit) few = limit - others.size();
  auto places = spread(reconstruction, std::min(few, limit));
  const auto rest = spread(others, limit - places.size());
  places.insert(places.end(), rest.begin(), rest.end());
  std::vector<GridPrompt> chosen;
  for (const auto place : places) chosen.push_back(prompts[place]);
  prompts = std::move(chosen);
}

/// Runs that differ in their checkpoint alone are one training; of a label, concept and seed the last stays.
std::vector<const RunFacts*> shown_runs(const StudyFacts& facts, const std::string& subject, bool every_seed) {
  std::vector<const RunFacts*> runs;
  for (const bool anchors : {false, true}) {
    for (const auto& run : facts.runs) {
      if (run.subject != subject || run.anchor() != anchors) continue;
      const auto same = std::ranges::find_if(runs, [&](const RunFacts* other) {
        return other->label == run.label && other->preset == run.preset && other->row == run.row &&
               (!every_seed || other->seed == run.seed);
      });
      if (same == runs.end()) {
        runs.push_back(&run);
      } else if ((*same)->seed == run.seed && run.checkpoint.value_or(0) > (*same)->checkpoint.value_or(0)) {
        *same = &run;
      }
    }
  }
  return runs;
}

}  // namespace

std::vector<ConceptGrid> read_grids(Index& index, const Store& store, const std::string& manifest,
                                    const GridChoice& choice) {
  const StudyFacts facts = read_facts(index, manifest);
  const Json text = store.manifest(manifest);
  const GridReader reader(index, text, manifest);
  std::vector<ConceptGrid> grids;
  for (const auto& each : facts.runs) {
    if (std::ranges::find(grids, each.subject, &ConceptGrid::subject) != grids.end()) continue;
    ConceptGrid& grid = grids.emplace_back();
    grid.subject = each.subject;
    const auto runs = shown_runs(facts, each.subject, choice.every_seed);
    for (const auto* run : runs) {
      reader.read_photos(run->id, grid);
      reader.read_prompts(run->id, grid.prompts);
    }
    grid.all_prompts = grid.prompts.size();
    choose_prompts(grid.prompts, choice.prompts);
    for (const auto* run : runs) {
      grid.rows.push_back({run->id, run->label, run->anchor() ? "anchor" : "method", run->seed, run->checkpoint,
                           reader.cells(run->id, grid.prompts)});
    }
  }
  return grids;
}

std::optional<Image> PictureReader::picture(const GridCell& cell, std::int64_t k) {
  if (cell.object.empty()) return {};
  try {
    if (cell.object != object_) {
      file_ = MappedFile::open(store_.object_path(cell.object));
      object_ = cell.object;
    }
    const auto where = file_->path().string();
    const auto archive = ZipArchive::parse(file_->bytes(), where);
    const auto* entry = archive.find(fmt::format("{:03}.png", k));
    if (entry == nullptr) return {};
    return flatten(decode(entry->bytes, where), {.kind = AlphaRule::Kind::drop}, where);
  } catch (const Error&) {  // shown as missing; `atelier verify` says what it is
    return {};
  }
}

std::optional<Image> PictureReader::photo(const PhotoFile& file) const {
  try {
    const auto bytes = MappedFile::open(file.path);
    if (!file.sha256.empty() && sha256_hex(bytes->bytes()) != file.sha256) return {};
    return flatten(decode(bytes->bytes(), file.path), {.kind = AlphaRule::Kind::drop}, file.path);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace atelier::reports
