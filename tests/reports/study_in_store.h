#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/core/digest.h"
#include "framework/files/zip_writer.h"
#include "framework/image/encode.h"
#include "framework/store/index.h"
#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "reports/table.h"
#include "tests/support/temporary_folder.h"

namespace atelier::tests {

/// A study that nobody trained: a manifest, key records and score objects written by hand.
class StudyInStore {
 public:
  StudyInStore() : store_(Store::create_or_open(folder_ / "store")), spool_(store_) {
    manifest_ = {{"schema", "atelier.manifest/1"}, {"study", "toy"},        {"yaml", ""},
                 {"overrides", Json::array()},     {"runs", Json::array()}, {"jobs", Json::array()},
                 {"tables", Json::object()},       {"keep", "all"}};
    add_evaluation("ti_code", "ti_code");
  }

  void add_evaluation(const std::string& name, const std::string& protocol, int images = 2) {
    manifest_["protocols"][name] = {
        {"id", protocol},
        {"title", "Textual Inversion"},
        {"pictures", {{"images_per_prompt", images}, {"prompts", Json::array()}}},
        {"scoring",
         {{"encoders", {{"clip", {{"scores", {"image", "text"}}}}}}, {"set_scores", {"gbar_norm", "clip_t_paper"}}}},
        {"encoders", {{"clip", std::string(64, 'e')}}},
        {"changed", {{"images_per_prompt", images}, {"prompts", Json()}, {"settings", Json::object()}}}};
  }

  /// Adds a run; `label` without concept and seed.
  std::string run(const std::string& method, const std::string& subject, const Json& seed, const std::string& label,
                  const Json& checkpoint = Json(), const Json& row = Json::object()) {
    const auto id = "run" + std::to_string(manifest_["runs"].size());
    Json axes = row;
    axes["method"] = method;
    manifest_["runs"].push_back({{"id", id},
                                 {"method", method},
                                 {"concept", subject},
                                 {"seed", seed},
                                 {"preset", ""},
                                 {"checkpoint", checkpoint},
                                 {"options", row},
                                 {"label", label},
                                 {"row", axes}});
    return id;
  }

  /// A job of the run with one output; returns its key.
  std::string job(const std::string& run, Json description, Json output = Json::object()) {
    description["mark"] = run;
    const auto key = key_of(description);
    output["key"] = key;
    output["description"] = description;
    manifest_["jobs"].push_back({{"id", manifest_["jobs"].size()},
                                 {"kind", description["kind"]},
                                 {"needs", Json::array()},
                                 {"runs", {run}},
                                 {"base", "b"},
                                 {"outputs", {output}}});
    descriptions_[key] = description;
    return key;
  }

  /// A score job as the planner describes it: its pictures, and with them its key, are those of the first name.
  std::string score_job(const std::string& run, const std::vector<std::string>& names = {"ti_code"}) {
    return job(run, score_of(names.front()), {{"evaluations", names}});
  }

  /// A score job of a manifest that does not tell whose it is.
  std::string unnamed_score_job(const std::string& run, const std::string& name) { return job(run, score_of(name)); }

  void publish(const std::string& key, const std::string& content, const Json& summary = Json::object()) const {
    static_cast<void>(store_.publish({key, descriptions_.at(key), store_.put(content), summary, {}}));
  }

  /// Scores of an edit and a reconstruction prompt with two pictures each, all moved by `shift`:
  /// clip_i of the pictures: reconstruction (0.8, 0.6), edit (0.5, 0.3); clip_t: reconstruction 0.1, edit (0.2, 0.4).
  void publish_scores(const std::string& key, double shift, const std::string& protocol = "ti_code") const {
    publish(key, scores(shift, protocol).dump());
  }

  static Json scores(double shift, const std::string& protocol = "ti_code") {
    const auto image = [&](const char* prompt, int k, std::vector<double> pairs, double text) {
      for (double& pair : pairs) pair += shift;
      return Json{{"prompt", prompt},
                  {"k", k},
                  {"seed", k},
                  {"sha256", "s"},
                  {"status", "ok"},
                  {"pair_scores", {{"clip", pairs}}},
                  {"text_scores", {{"clip", text + shift}}}};
    };
    const auto set = [&](const char* prompt, const char* role, double paper) {
      return Json{{"prompt", prompt},
                  {"text", "t"},
                  {"role", role},
                  {"scores", {{"gbar_norm", 0.9}, {"clip_t_paper", paper + shift}}}};
    };
    return {{"schema", "atelier.scoretable/1"},
            {"protocol", protocol},
            {"images",
             {image("r/0", 0, {0.9, 0.7}, 0.1), image("r/0", 1, {0.5, 0.7}, 0.1), image("e/0", 0, {0.4, 0.6}, 0.2),
              image("e/0", 1, {0.3, 0.3}, 0.4)}},
            {"sets", {set("r/0", "reconstruction", 0.11), set("e/0", "edit", 0.35)}},
            {"anchors", {{"clip_i_all", 0.95 + shift}, {"clip_i_distinct", 0.85 + shift}}},
            {"references", Json::array()}};
  }

  void fail(const std::string& key, const std::string& failure_class, const std::string& error) {
    spool_.write({{"type", "attempt"}, {"attempt", "a-" + key}, {"job_keys", {key}}, {"kind", "train"}});
    spool_.write({{"type", "attempt_end"},
                  {"attempt", "a-" + key},
                  {"status", "failed"},
                  {"class", failure_class},
                  {"error", {{"where", "x"}, {"found", "y"}, {"text", error}}}});
  }

  /// What a hand-written job or study has besides.
  Json& last_job() { return manifest_["jobs"].back(); }
  Json& manifest() { return manifest_; }
  [[nodiscard]] const Store& store() const { return store_; }
  [[nodiscard]] std::filesystem::path folder() const { return folder_ / "."; }
  [[nodiscard]] std::string plan() const { return store_.put_manifest(manifest_); }
  [[nodiscard]] Index index() const { return Index(store_, folder_ / "index.sqlite"); }

  /// A job with pictures of each prompt: id and text. Returns the outputs' keys.
  std::vector<std::string> sample_job(const std::string& run,
                                      const std::vector<std::pair<std::string, std::string>>& prompts,
                                      std::size_t images = 1) {
    std::vector<std::string> keys;
    Json outputs = Json::array();
    for (const auto& [id, text] : prompts) {
      const Json description{{"kind", "sample"}, {"prompt", text}, {"mark", run + id}};
      keys.push_back(key_of(description));
      descriptions_[keys.back()] = description;
      outputs.push_back({{"key", keys.back()},
                         {"description", description},
                         {"prompt_id", id},
                         {"template", text},
                         {"text", text},
                         {"seeds", std::vector<int>(images, 7)}});
    }
    manifest_["jobs"].push_back({{"id", manifest_["jobs"].size()},
                                 {"kind", "sample"},
                                 {"needs", Json::array()},
                                 {"runs", {run}},
                                 {"base", "b"},
                                 {"outputs", outputs}});
    return keys;
  }

  /// An archive of one-coloured pictures as the result of a sampling job.
  void publish_pictures(const std::string& key, const std::vector<Colour>& colours, Size size = {4, 4}) const {
    std::vector<std::string> files;
    for (const auto& colour : colours) {
      const auto png = encode_png(flat(colour, size));
      files.emplace_back(reinterpret_cast<const char*>(png.data()), png.size());
    }
    std::vector<ZipContent> entries;
    for (std::size_t k = 0; k < files.size(); ++k) entries.push_back({fmt::format("{:03}.png", k), files[k]});
    publish(key, stored_zip(entries, 1, "pictures"));
  }

  static Image flat(Colour colour, Size size) {
    auto image = make_raster<Image>(size);
    for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
      image.pixels[i] = colour.red, image.pixels[i + 1] = colour.green, image.pixels[i + 2] = colour.blue;
    }
    return image;
  }

  reports::Table table(const reports::TableRequest& request = {}) {
    const auto digest = store_.put_manifest(manifest_);
    Index index(store_, folder_ / "index.sqlite");
    return reports::make_table(index, digest, request);
  }

 private:
  Json score_of(const std::string& name) {
    Json scoring = manifest_["protocols"][name]["scoring"];
    scoring["id"] = manifest_["protocols"][name]["id"];
    return {{"kind", "score"},
            {"protocol", scoring},
            {"encoders", manifest_["protocols"][name]["encoders"]},
            {"sets", Json::array()},
            {"pictures of", name}};
  }

  TemporaryFolder folder_;
  Store store_;
  Spool spool_;
  Json manifest_;
  std::map<std::string, Json> descriptions_;
};

}  // namespace atelier::tests
