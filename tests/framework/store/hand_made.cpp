#include "tests/framework/store/hand_made.h"

#include "framework/core/digest.h"

namespace atelier::tests {
namespace {

/// A job's output: what every kind has, and what only this kind has.
Json output_of(const Json& description, Json more) {
  more["key"] = key_of(description);
  more["description"] = description;
  return more;
}

Json score_table() {
  const auto image = [](int k, double text) {
    return Json{{"prompt", "ti/edit/0"},          {"k", k},         {"seed", 40 + k},
                {"sha256", std::string(64, 'a')}, {"status", "ok"}, {"pair_scores", {{"clip", {0.5, 0.25 + k}}}},
                {"text_scores", {{"clip", text}}}};
  };
  const Json missing{{"prompt", "ti/edit/0"},
                     {"k", 2},
                     {"seed", 42},
                     {"sha256", nullptr},
                     {"status", "damaged"},
                     {"pair_scores", {{"clip", nullptr}}},
                     {"text_scores", {{"clip", nullptr}}}};
  return {{"schema", "atelier.scoretable/1"},
          {"protocol", "ti_code"},
          {"images", {image(0, 0.125), image(1, 0.75), missing}},
          {"sets",
           {{{"prompt", "ti/edit/0"},
             {"text", "a {} on the moon"},
             {"role", "edit"},
             {"scores", {{"gbar_norm", 0.9}, {"clip_t_paper", 0.3}}}}}},
          {"anchors", {{"clip_i_all", 0.95}, {"clip_i_distinct", nullptr}}},
          {"references", {{{"name", "0.jpg"}, {"sha256", std::string(64, 'b')}}}}};
}

}  // namespace

HandMade::HandMade() : store(Store::create_or_open(folder_ / "store")) {
  train = {{"kind", "train"}, {"framework", 1}, {"method", "textreg"}, {"stage", "ut"}, {"seed", 0}, {"step", 500}};
  failing = train;
  failing["seed"] = 1;
  sample = {
      {"kind", "sample"}, {"artifact", key_of(train)}, {"prompt", "a <krk1> cat on the moon"}, {"seeds", {40, 41, 42}}};
  score = {{"kind", "score"},
           {"protocol", {{"id", "ti_code"}, {"batch", 8}}},
           {"encoders", {{"clip", std::string(64, 'e')}}},
           {"sets", {{{"prompt", "ti/edit/0"}, {"images", key_of(sample)}}}}};
  manifest = {{"schema", "atelier.manifest/1"},
              {"study", "toy"},
              {"yaml", "study: toy\n"},
              {"overrides", {"seed=0"}},
              {"protocols", {{"ti_code", {{"id", "ti_code"}}}}},
              {"tables", Json::object()},
              {"keep", "all"}};
  for (const int seed : {0, 1}) {
    manifest["runs"].push_back({{"id", seed == 0 ? "aaaaaaaaaaaa" : "bbbbbbbbbbbb"},
                                {"method", "textreg"},
                                {"concept", "cat"},
                                {"seed", seed},
                                {"checkpoint", 500},
                                {"preset", "paper"},
                                {"options", {{"rank", 4}}},
                                {"label", "textreg"},
                                {"row", {{"method", "textreg"}}}});
  }
  manifest["jobs"] = {
      job(0, "train", "aaaaaaaaaaaa", output_of(train, {{"step", 500}})),
      job(1, "sample", "aaaaaaaaaaaa", output_of(sample, {{"prompt_id", "ti/edit/0"}, {"seeds", sample["seeds"]}})),
      job(2, "score", "aaaaaaaaaaaa", output_of(score, Json::object())),
      job(3, "train", "bbbbbbbbbbbb", output_of(failing, {{"step", 500}}))};
  manifest_digest = sha256_hex(manifest.dump());
}

Json HandMade::job(int id, const char* kind, const char* run, const Json& output) const {
  return {{"id", id},
          {"kind", kind},
          {"needs", id == 1 || id == 2 ? Json{id - 1} : Json::array()},
          {"runs", {run}},
          {"base", "b"},
          {"outputs", {output}},
          {"job", Json::object()}};
}

void HandMade::publish(const Json& description, const std::string& object, const Json& summary) const {
  store.publish({key_of(description), description, object, summary, {}});
}

void HandMade::put_manifest() { manifest_digest = store.put_manifest(manifest); }

void HandMade::publish_train() {
  weights = store.put("weights");
  losses = store.put(R"({"schema":"atelier.losses/1","step":[1],"loss":[0.5],"terms":{}})");
  publish(train, weights,
          {{"losses", losses}, {"final_loss", 0.5}, {"seconds", 2.0}, {"trained_parameters", 768}, {"bytes", 7}});
}

void HandMade::publish_sample() {
  pictures = store.put("a zip of pictures");
  publish(sample, pictures, {{"images", 3}, {"bytes", 17}});
}

void HandMade::publish_score() {
  table = store.put(score_table().dump());
  publish(score, table, {{"images", 3}, {"sets", 1}});
}

void HandMade::publish_other_weights() { publish(train, store.put("other weights"), Json::object()); }

void HandMade::write_first_spool() {
  Spool spool(store);
  spool.write({{"type", "manifest"}, {"study", "toy"}, {"manifest", manifest_digest}});
  spool.write({{"type", "attempt"},
               {"attempt", "one"},
               {"job_keys", {key_of(train)}},
               {"kind", "train"},
               {"host", "here"},
               {"pid", 1},
               {"device", "cpu"},
               {"dtype", "float32"},
               {"threads", 2},
               {"torch", "2.11.0"},
               {"build", "1234"}});
  spool.write({{"type", "event"}, {"attempt", "one"}, {"level", "info"}, {"text", "half way"}});
  spool.write(
      {{"type", "published"}, {"attempt", "one"}, {"key", key_of(train)}, {"object", weights}, {"kind", "train"}});
  spool.write({{"type", "attempt_end"},
               {"attempt", "one"},
               {"status", "done"},
               {"class", nullptr},
               {"seconds", 2.0},
               {"error", nullptr}});
}

void HandMade::write_second_spool() {
  Spool spool(store);
  spool.write(
      {{"type", "attempt"}, {"attempt", "two"}, {"job_keys", {key_of(failing)}}, {"kind", "train"}, {"host", "there"}});
  spool.write({{"type", "attempt_end"},
               {"attempt", "two"},
               {"status", "failed"},
               {"class", "method"},
               {"seconds", 1.0},
               {"error",
                {{"where", "step 3"},
                 {"found", "NaN"},
                 {"expected", "a finite loss"},
                 {"advice", ""},
                 {"text", "step 3: NaN; expected a finite loss"}}}});
  spool.write({{"type", "divergence"}, {"key", key_of(train)}, {"object", "x"}, {"other", "y"}});
}

void HandMade::make_all() {
  put_manifest();
  publish_train();
  publish_sample();
  publish_score();
  write_first_spool();
  write_second_spool();
}

}  // namespace atelier::tests
