#include "eval/score_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace atelier::eval {
namespace {

/// A row for a picture that was not scored has the same keys, with nulls.
Json image_row(const Protocol& protocol, const ImageScores& image, const SetFacts& set, std::size_t k) {
  Json pairs = Json::object(), texts = Json::object();
  for (const auto& [role, use] : protocol.encoders) {
    const auto add = [&](const std::string& name) {
      pairs[name] = image.pairs.contains(name) ? Json(image.pairs.at(name)) : Json();
    };
    if (use.image) add(role);
    if (use.image_full && protocol.masked) add(role + "_full");
    if (use.text) texts[role] = image.texts.contains(role) ? Json(image.texts.at(role)) : Json();
  }
  const PictureFacts& facts = set.pictures.at(k);
  Json row{{"prompt", set.prompt},
           {"k", k},
           {"seed", facts.seed ? Json(*facts.seed) : Json()},
           {"sha256", facts.sha256},
           {"status", image.status},
           {"pair_scores", pairs},
           {"text_scores", texts}};
  if (image.foreground) row["foreground"] = *image.foreground;
  return row;
}

}  // namespace

Json score_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json score_json(const NamedScores& scores) {
  Json json = Json::object();
  for (const auto& [name, value] : scores) json[name] = score_json(value);
  return json;
}

Json score_table(const Protocol& protocol, const Scores& scores, const std::vector<SetFacts>& facts,
                 const std::vector<ReferenceFacts>& references) {
  Json settings = protocol.settings;
  settings["image"]["size"] = scores.size;
  Json table{{"schema", "atelier.scoretable/1"},
             {"protocol", protocol.id},
             {"settings", settings},
             {"anchors", score_json(scores.anchors)},
             {"images", Json::array()},
             {"sets", Json::array()},
             {"references", Json::array()}};
  for (std::size_t i = 0; i < scores.sets.size(); ++i) {
    const SetScores& set = scores.sets[i];
    for (std::size_t k = 0; k < set.images.size(); ++k) {
      table["images"].push_back(image_row(protocol, set.images[k], facts.at(i), k));
    }
    table["sets"].push_back({{"prompt", facts[i].prompt},
                             {"text", set.scoring_text},
                             {"role", facts[i].role},
                             {"n", set.images.size()},
                             {"scores", score_json(set.scores)}});
  }
  if (!scores.pooled.scores.empty()) {
    table["sets"].push_back(
        {{"prompt", ""},
         {"text", fmt::format("{} pictures against {}", scores.pooled.pictures, scores.pooled.others)},
         {"role", ""},
         {"n", scores.pooled.pictures},
         {"scores", score_json(scores.pooled.scores)}});
  }
  for (const auto& reference : references) {
    table["references"].push_back({{"name", reference.name}, {"sha256", reference.sha256}});
  }
  return table;
}

}  // namespace atelier::eval
