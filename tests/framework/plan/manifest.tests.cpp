#include "framework/plan/manifest.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/plan/keys.h"
#include "framework/store/store.h"
#include "tests/framework/plan/study_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;

namespace {

const std::string kHead = R"(study: one
concepts: [{name: cat, path: concepts/cat}]
)";
const std::string kOne = kHead + "methods: {textreg: {base: base, max_train_steps: 60, ti_train_step: 20}}\n";
const std::string kScored = kOne + "evaluate: [{protocol: ti_code, images: 2}]\nencoders: {clip: clip}\n";

std::set<std::string> keys(const Json& manifest) {
  std::set<std::string> all;
  for (const auto& job : manifest.at("jobs")) {
    for (const auto& output : job.at("outputs")) all.insert(output.at("key").get<std::string>());
  }
  return all;
}

std::set<std::int64_t> steps(const Json& job) {
  std::set<std::int64_t> found;
  for (const auto& output : job.at("outputs")) found.insert(output.at("step").get<std::int64_t>());
  return found;
}

/// Every output's key is that of its description; needs name earlier jobs; every job serves a run that exists.
void check_consistent(const Json& manifest) {
  std::set<std::string> runs, seen;
  for (const auto& run : manifest.at("runs")) CHECK(runs.insert(run.at("id").get<std::string>()).second);
  for (std::size_t i = 0; i < manifest.at("jobs").size(); ++i) {
    const auto& job = manifest["jobs"][i];
    CHECK(job.at("id") == i);
    CHECK_FALSE(job.at("outputs").empty());
    CHECK_FALSE(job.at("runs").empty());
    for (const auto& run : job.at("runs")) CHECK(runs.contains(run.get<std::string>()));
    for (const auto& need : job.at("needs")) CHECK(need.get<std::size_t>() < i);
    for (const auto& output : job.at("outputs")) {
      CHECK(output.at("key") == key_of(output.at("description")));
      CHECK(seen.insert(output.at("key").get<std::string>()).second);
    }
  }
}

}  // namespace

TEST_CASE("a method's stages become train jobs, the later one needs the earlier one's last step", "[plan][manifest]") {
  StudyWorld world;
  const auto manifest = world.plan(kOne);
  check_consistent(manifest);
  const auto train = jobs(manifest, "train");
  REQUIRE(train.size() == 2);
  CHECK(steps(train[0]) == std::set<std::int64_t>{20});
  CHECK(steps(train[1]) == std::set<std::int64_t>{40});
  CHECK(train[1].at("needs") == Json::array({0}));
  CHECK(train[1]["outputs"][0]["description"]["inputs"]["ti"] == train[0]["outputs"][0]["key"]);
  CHECK(train[1]["job"]["ordinal"] == 1);
  CHECK(train[1]["job"]["lists"]["textreg/train_object"].size() == 27);
  CHECK(manifest["runs"][0]["checkpoint"].is_null());
  CHECK_FALSE(train[0]["outputs"][0]["description"]["options"].contains("ut.learning_rate"));
}

TEST_CASE("checkpoints count over all stages and are served by one job a stage", "[plan][manifest]") {
  StudyWorld world;
  const auto manifest = world.plan(kOne + "checkpoints: {textreg: [0, 10, 20, 30, 60]}\n");
  check_consistent(manifest);
  CHECK(manifest["runs"].size() == 5);
  const auto train = jobs(manifest, "train");
  REQUIRE(train.size() == 2);
  CHECK(steps(train[0]) == std::set<std::int64_t>{0, 10, 20});
  CHECK(steps(train[1]) == std::set<std::int64_t>{10, 40});
  CHECK(train[0]["runs"].size() == 5);
  CHECK(train[1]["runs"].size() == 2);
  const auto key = [](const Json& job, std::size_t output) { return job["outputs"][output]["key"]; };
  CHECK(manifest["runs"][1]["artifacts"] == Json::array({key(train[0], 1)}));
  CHECK(manifest["runs"][3]["artifacts"] == Json::array({key(train[0], 2), key(train[1], 0)}));
}

TEST_CASE("a longer run serves a shorter one unless the schedule looks at the total", "[plan][manifest]") {
  StudyWorld world;
  const std::string sweep = "sweep: [{grid: {max_train_steps: [40, 60]}}]\n";
  const std::string head = kHead + "methods: {textreg: {base: base, ti_train_step: 20";
  const auto shared = world.plan(head + "}}\n" + sweep);
  check_consistent(shared);
  REQUIRE(jobs(shared, "train").size() == 2);
  CHECK(steps(jobs(shared, "train")[1]) == std::set<std::int64_t>{20, 40});
  CHECK(jobs(shared, "train")[1]["job"]["steps"] == 40);
  const auto apart = world.plan(head + ", ut.lr_scheduler: linear}}\n" + sweep);
  check_consistent(apart);
  CHECK(jobs(apart, "train").size() == 3);
  CHECK(jobs(apart, "train")[1]["outputs"][0]["description"].contains("total_steps"));
}

TEST_CASE("an option that decides memory alone changes no key and no run, and reaches the worker", "[plan][manifest]") {
  StudyWorld plain, world;
  MethodSpec spec = two_stages();
  spec.options.push_back(option("lean", OptionType::boolean, false));
  spec.options.back().memory_only = true;
  for (auto& stage : spec.stages) stage.reads.push_back("lean");
  world.install(spec);
  const std::string head = kHead + "methods: {textreg: {base: base, max_train_steps: 60, ti_train_step: 20";
  const auto before = plain.plan(head + "}}\n"), off = world.plan(head + "}}\n");
  const auto on = world.plan(head + ", lean: true}}\n");
  check_consistent(on);
  CHECK(keys(off) == keys(before));
  CHECK(off["runs"][0]["id"] == before["runs"][0]["id"]);
  CHECK(keys(on) == keys(before));
  for (const auto& job : jobs(on, "train")) CHECK(job["job"]["options"]["lean"] == true);
  const auto swept = world.plan(head + "}}\nsweep: [{grid: {lean: [false, true]}}]\n");
  check_consistent(swept);
  CHECK(swept["runs"].size() == 2);
  CHECK(jobs(swept, "train").size() == 2);
}

TEST_CASE("a sweep over the second stage trains the first one once", "[plan][manifest]") {
  StudyWorld world;
  const auto manifest = world.plan(kOne + "sweep: [{grid: {ut.learning_rate: [1e-4, 2e-4, 4e-4]}}]\n");
  check_consistent(manifest);
  CHECK(manifest["runs"].size() == 3);
  CHECK(jobs(manifest, "train").size() == 4);
  CHECK(jobs(manifest, "train")[0]["runs"].size() == 3);
}

TEST_CASE("a token given as a file leaves the first stage out and counts by its content", "[plan][manifest]") {
  StudyWorld world;
  world.write("token.safetensors", "one");
  const auto file = (world / "token.safetensors").string();
  const auto study = kHead + "methods: {textreg: {base: base, max_train_steps: 60, ti_train_step: 20, token_file: \"" +
                     file + "\"}}\n";
  const auto first = world.plan(study);
  REQUIRE(jobs(first, "train").size() == 1);
  CHECK(jobs(first, "train")[0]["outputs"][0]["description"]["inputs"].empty());
  world.write("token.safetensors", "two!");
  CHECK(keys(world.plan(study)) != keys(first));
}

TEST_CASE("pictures, scores and both anchors of a run", "[plan][manifest]") {
  StudyWorld world;
  const auto manifest = world.plan(kScored);
  check_consistent(manifest);
  std::set<std::string> methods;
  for (const auto& run : manifest["runs"]) methods.insert(run.at("method").get<std::string>());
  CHECK(methods == std::set<std::string>{"textreg", "anchor:prompt_only", "anchor:class_word"});
  const auto sample = jobs(manifest, "sample");
  REQUIRE(sample.size() == 3);
  REQUIRE(sample[0]["outputs"].size() == 4);
  CHECK(sample[0]["outputs"][0]["text"] == "A photo of <krk1> cat");
  CHECK(sample[0]["outputs"][0]["base_text"] == "A photo of cat");
  CHECK(sample[0]["outputs"][0]["seeds"] ==
        Json::array({picture_seed(0, "A photo of {}", 0), picture_seed(0, "A photo of {}", 1)}));
  std::set<std::string> texts;
  for (const auto& job : sample) texts.insert(job["outputs"][0]["text"].get<std::string>());
  CHECK(texts == std::set<std::string>{"A photo of <krk1> cat", "A photo of", "A photo of cat"});
  for (const auto& job : sample) CHECK(job["outputs"][0]["seeds"] == sample[0]["outputs"][0]["seeds"]);
  const auto score = jobs(manifest, "score");
  REQUIRE(score.size() == 3);
  CHECK(score[0]["job"]["references"].size() == 2);
  CHECK(score[0]["job"]["sets"].size() == 4);
  CHECK(sample[0]["job"]["size"] == Json::array({64, 64}));
}

TEST_CASE("two protocols with the same pictures make them once", "[plan][manifest]") {
  StudyWorld world;
  const auto manifest = world.plan(kOne +
                                   "evaluate: [{protocol: ti_code, images: 2}, {protocol: ti_paper, images: 2}]\n"
                                   "encoders: {clip: clip}\n");
  check_consistent(manifest);
  CHECK(jobs(manifest, "sample").size() == 3);
  CHECK(jobs(manifest, "sample")[0]["outputs"].size() == 4);
  CHECK(jobs(manifest, "score").size() == 6);
}

TEST_CASE("two evaluations by one protocol are both named where they share a job and where they do not",
          "[plan][manifest]") {
  StudyWorld world;
  const auto planned = [&](const std::string& of_b) {
    return world.plan(kOne + "evaluate: [{protocol: ti_code, name: a, images: 2}, {protocol: ti_code, name: b, " +
                      of_b + "}]\nencoders: {clip: clip}\n");
  };
  const auto both = planned("images: 2");
  check_consistent(both);
  REQUIRE(jobs(both, "score").size() == 3);
  for (const auto* kind : {"sample", "score"}) {
    for (const auto& job : jobs(both, kind)) {
      for (const auto& output : job["outputs"]) CHECK(output["evaluations"] == Json::array({"a", "b"}));
    }
  }
  const auto apart = planned("images: 2, size: 128");
  check_consistent(apart);
  const auto score = jobs(apart, "score");
  REQUIRE(score.size() == 6);
  CHECK(score[0]["outputs"][0]["evaluations"] == Json::array({"a"}));
  CHECK(score[1]["outputs"][0]["evaluations"] == Json::array({"b"}));
  CHECK(apart["protocols"]["b"]["changed"]["size"] == 128);
  CHECK(keys(both) == keys(planned("images: 2, size: 64")));  // the base model's own; names are in no key
}

TEST_CASE("the anchor without the concept is drawn once for all concepts", "[plan][manifest]") {
  StudyWorld world;
  const auto manifest = world.plan(
      "study: two\nconcepts: [{name: cat, path: concepts/cat}, {name: vase, path: concepts/vase}]\n"
      "methods: {dco: {base: base, steps: 10}}\nevaluate: [{protocol: ti_code, images: 2}]\nencoders: {clip: clip}\n");
  check_consistent(manifest);
  // Two trained models, one prompt-only anchor, two class words.
  CHECK(jobs(manifest, "sample").size() == 5);
  CHECK(jobs(manifest, "score").size() == 6);
}

TEST_CASE("names, places and previews are in no key", "[plan][manifest][keys]") {
  StudyWorld world;
  const auto plain = keys(world.plan(kScored));
  CHECK(keys(world.plan(kScored, {"study=other"})) == plain);
  CHECK(keys(world.plan(kScored, {"preview={every: 5, prompts: [\"a {}\"]}"})) == plain);
  CHECK(keys(world.plan(kScored, {"snapshot.every_steps=3"})) == plain);
  CHECK(keys(world.plan(kScored, {"concepts.0.name=tom"})) == plain);
  StudyWorld elsewhere;
  CHECK(keys(elsewhere.plan(kScored)) == plain);
  CHECK(world.plan(kScored) == world.plan(kScored));
}

TEST_CASE("what decides a result is in the keys", "[plan][manifest][keys]") {
  StudyWorld world;
  const auto plain = keys(world.plan(kScored));
  for (const auto* change : {"seed=1", "methods.textreg.ut.learning_rate=3e-4", "placement.threads=7",
                             "placement.dtype=bfloat16", "sample_seed=1", "size=128", "sampler={guidance: 3}"}) {
    INFO(change);
    CHECK(keys(world.plan(kScored, {change})) != plain);
  }
  const auto changed = [&](const std::string& name, const std::string& text) {
    StudyWorld other;
    other.write(name, text);
    return keys(other.plan(kScored)) != plain;
  };
  CHECK(changed("concepts/cat/concept.yaml", "class: kitten\n"));
  CHECK(changed("concepts/cat/concept.yaml", "class: cat\nphotos: {0.png: {caption: \"a {}\"}}\n"));
  CHECK(changed("concepts/cat/concept.yaml", "class: cat\nheld_out: [1.png]\n"));
  CHECK(changed("base/unet/diffusion_pytorch_model.safetensors", no_tensors("b")));
  CHECK(changed("clip/model.safetensors", no_tensors("b")));
  StudyWorld raised;
  auto spec = two_stages();
  spec.stages[0].numerics = 2;
  raised.install(spec);
  CHECK(keys(raised.plan(kScored)) != plain);
}

TEST_CASE("a study's changes of a protocol reach its scoring and the keys", "[plan][manifest]") {
  StudyWorld world;
  const auto study = [](const std::string& change) {
    return kOne + "evaluate: [{protocol: ti_code, images: 2, " + change + "}]\nencoders: {clip: clip}\n";
  };
  const auto manifest = world.plan(study("resize: t-bicubic-aa, frontend.clip: clip-hf"));
  const auto scoring = jobs(manifest, "score")[0]["job"]["protocol"]["scoring"];
  CHECK(scoring["image"]["resize"] == "t-bicubic-aa");
  CHECK(scoring["encoders"]["clip"]["front_end"] == "clip-hf");
  CHECK_FALSE(scoring.contains("resize"));
  CHECK(keys(manifest) != keys(world.plan(kScored)));
  CHECK_THAT(message([&] { static_cast<void>(world.plan(study("resise: t-bicubic-aa"))); }), Contains("resize"));
}

TEST_CASE("the number of slots is in no key, and shares the cores where no threads are given",
          "[plan][manifest][keys]") {
  StudyWorld world;
  const auto one = world.plan(kScored, {"placement={device: cpu, threads: 2}"});
  const auto three = world.plan(kScored, {"placement={device: cpu, threads: 2, slots: 3}"});
  CHECK(three["placement"]["slots"] == 3);
  CHECK(keys(three) == keys(one));
  const auto shared = world.plan(kScored, {"placement={device: cpu, slots: 3}"}, "cpu", 8);
  CHECK(shared["placement"]["threads"] == 2);
  CHECK(keys(shared) == keys(one));
}

TEST_CASE("on a GPU the number of threads is in no key, and a worker gets one device", "[plan][manifest][keys]") {
  StudyWorld world;
  const auto two = world.plan(kScored, {"placement={device: \"cuda:0,1\", threads: 2}"});
  CHECK(keys(two) == keys(world.plan(kScored, {"placement={device: \"cuda:1\", threads: 4}"})));
  CHECK(two["jobs"][0]["job"]["device"] == "cuda:0");
  CHECK(keys(two) != keys(world.plan(kScored)));
}

TEST_CASE("auto is the machine's device, and the resolved study is planned alike on another machine",
          "[plan][manifest][keys]") {
  StudyWorld world;
  const auto cpu = world.plan(kScored), gpu = world.plan(kScored, {}, "cuda:0");
  CHECK(cpu["placement"] ==
        Json{{"device", "cpu"}, {"asked", "auto"}, {"dtype", "float32"}, {"threads", 1}, {"slots", 1}});
  CHECK(gpu["placement"]["device"] == "cuda:0");
  CHECK(gpu["jobs"][0]["job"]["device"] == "cuda:0");
  CHECK(keys(gpu) == keys(world.plan(kScored, {"placement.device=cuda"})));
  CHECK(keys(gpu) != keys(cpu));
  CHECK(keys(world.plan(pretty_json(gpu["resolved"]), {}, "cpu")) == keys(gpu));
  CHECK(keys(world.plan(pretty_json(cpu["resolved"]), {}, "cuda:0", 4)) == keys(cpu));
}

TEST_CASE("what a machine lacks is told with the line that asks for it", "[plan][manifest]") {
  StudyWorld world;
  const auto told = [&](const std::string& yaml) { return message([&] { static_cast<void>(world.plan(yaml)); }); };
  CHECK_THAT(told("study: one\nconcepts:\n  - {name: a, path: no/a}\nmethods: {dco: {base: base}}\n"),
             Catch::StartsWith("study.yaml:3:5: ") && Contains("no/a") && Contains("atelier concepts check"));
  CHECK_THAT(told(kHead + "methods: {dco: {base: no/base}}\n"), Catch::StartsWith("study.yaml:3:23: "));
  CHECK_THAT(told(kHead + "methods: {textreg: {base: base, token_file: none}}\n"),
             Catch::StartsWith("study.yaml:3:33: ") && Contains("none"));
}

TEST_CASE("a relative file of an option counts from the study's folder", "[plan][manifest]") {
  StudyWorld world;
  world.write("token.safetensors", "one");
  const auto manifest = world.plan(kHead + "methods: {textreg: {base: base, token_file: token.safetensors}}\n");
  CHECK(jobs(manifest, "train")[0]["job"]["options"]["token_file"] == (world / "token.safetensors").string());
}

TEST_CASE("another program's pictures that are not there are refused with what to do", "[plan][manifest]") {
  StudyWorld world;
  const auto foreign = kHead +
                       "methods: {neti: {images: \"out/{concept}/{prompt}/{k}.png\"}}\n"
                       "evaluate: [{protocol: ti_code, images: 2}]\nencoders: {clip: clip}\n";
  CHECK_THAT(message([&] { static_cast<void>(world.plan(foreign)); }),
             Contains("8 of 8 pictures of cat are not there"));
}

TEST_CASE("faults of all concepts are told at once", "[plan][manifest]") {
  StudyWorld world;
  const auto text = message([&] {
    static_cast<void>(
        world.plan("study: one\nconcepts: [{name: a, path: no/a}, {name: b, path: no/b}]\n"
                   "methods: {dco: {base: base}}\n"));
  });
  CHECK_THAT(text, Contains("no/a") && Contains("no/b"));
}

TEST_CASE("counts tell what is to do and what is in the store", "[plan][manifest]") {
  StudyWorld world;
  const auto manifest = world.plan(kScored);
  const auto store = Store::create_or_open(world / "store");
  const auto before = plan_counts(manifest, &store);
  CHECK(before["train"] == Json{{"jobs", 2}, {"steps", 60}});
  CHECK(before["sample"] == Json{{"jobs", 3}, {"images", 24}});
  CHECK(before["score"]["jobs"] == 3);
  const auto output = jobs(manifest, "train")[0]["outputs"][0];
  KeyRecord record{.key = output["key"].get<std::string>(),
                   .description = output["description"],
                   .object = store.put("tensors"),
                   .summary = Json::object(),
                   .divergent = {}};
  store.publish(record);
  const auto after = plan_counts(manifest, &store);
  CHECK(after["jobs"]["cached"] == 1);
  CHECK(after["train"] == Json{{"jobs", 1}, {"steps", 40}});
}

TEST_CASE("bench", "[.bench]") {
  StudyWorld world;
  std::string list;
  for (int c = 0; c < 39; ++c) {
    const auto name = "c" + std::to_string(c);
    for (int i = 0; i < 5; ++i) world.photo("concepts/" + name + "/" + std::to_string(i) + ".png", c * 10 + i);
    world.write("concepts/" + name + "/concept.yaml", "class: cat\n");
    list += (c ? ", " : "") + std::string("{name: ") + name + ", path: concepts/" + name + "}";
  }
  const auto yaml =
      "study: big\nconcepts: [" + list +
      "]\nmethods: {textreg: {base: base}, dco: {base: base}}\n"
      "sweep: [{grid: {seed: [0, 1, 2]}}, {when: {method: textreg}, grid: {ut.learning_rate: [1e-4, 2e-4, 4e-4]}}]\n"
      "evaluate: [ti_code, ti_paper]\nencoders: {clip: clip}\n";
  static_cast<void>(world.plan(yaml));
  const auto begin = std::chrono::steady_clock::now();
  const auto manifest = world.plan(yaml);
  WARN(manifest["runs"].size() << " runs, " << manifest["jobs"].size() << " jobs, "
                               << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
                               << " s, bytes " << manifest.dump().size());
}

TEST_CASE("several scales of guidance are sampled and scored apart, and trained once", "[plan][manifest]") {
  StudyWorld world;
  const auto plain = world.plan(kScored);
  const auto planned = [&](const std::string& sampler) {
    auto manifest = world.plan(kScored + "sampler: " + sampler + "\n");
    check_consistent(manifest);
    return manifest;
  };
  const auto swept = planned("{guidance: 7.5, reward_guidance: [null, 0, 3, 7.5]}");
  CHECK(jobs(swept, "train") == [&] {
    auto train = jobs(planned("{guidance: 7.5}"), "train");
    for (auto& job : train) job["runs"] = jobs(swept, "train")[0]["runs"];
    return train;
  }());
  CHECK(plan_counts(swept, nullptr)["train"] == plan_counts(plain, nullptr)["train"]);
  CHECK(swept["runs"].size() == 4 + 2);  // and the anchors, which no reward guides
  CHECK(jobs(swept, "sample").size() == 4 + 2);
  CHECK(jobs(swept, "score").size() == 4 + 2);
  CHECK(swept["runs"][0]["label"] == "textreg reward_guidance=none");
  CHECK(swept["runs"][2]["label"] == "textreg reward_guidance=3.0");
  CHECK(swept["runs"][2]["row"] == Json{{"method", "textreg"}, {"reward_guidance", 3.0}});
  // Without a reward the picture's key is what it always was; a reward of 0 is another sampler.
  const auto sample = jobs(swept, "sample");
  CHECK(sample[0]["outputs"] == jobs(planned("{guidance: 7.5}"), "sample")[0]["outputs"]);
  CHECK_FALSE(sample[0]["job"]["sampler"].contains("reward"));
  CHECK(sample[1]["job"]["sampler"]["reward"] == 0.0);
  CHECK(sample[0]["outputs"][0]["key"] != sample[1]["outputs"][0]["key"]);

  const auto pairs = planned("{guidance: [3, 7.5], reward_guidance: [0, 3]}");
  CHECK(pairs["runs"].size() == 4 + 2 * 2);
  CHECK(pairs["runs"][3]["label"] == "textreg guidance=7.5 reward_guidance=3.0");
  CHECK(jobs(pairs, "train").size() == 2);
  const auto one = planned("{reward_guidance: 3}");
  CHECK(one["runs"][0]["label"] == "textreg");
  CHECK(jobs(one, "sample")[0]["job"]["sampler"]["reward"] == 3.0);
}

TEST_CASE("a method's published reward guidance holds until a study says otherwise", "[plan][manifest]") {
  StudyWorld world;
  auto spec = two_stages();
  spec.sampler.reward_guidance = 3.0;
  world.install(spec);
  const auto reward = [&](const std::string& more) {
    const auto sampler = jobs(world.plan(kScored + more), "sample")[0]["job"]["sampler"];
    return sampler.value("reward", Json());
  };
  CHECK(reward("") == 3.0);
  CHECK(reward("sampler: {steps: 5}\n") == 3.0);
  CHECK(reward("sampler: {reward_guidance: 1}\n") == 1.0);
  CHECK(reward("sampler: {reward_guidance: null}\n").is_null());
}

TEST_CASE("What jobs have in common is stored once, and every key is that of the whole description",
          "[plan][manifest]") {
  StudyWorld world;
  const std::string yaml =
      "study: t\nconcepts: [concepts/cat, concepts/vase]\nmethods: {textreg: {base: base}}\n"
      "sweep: [{grid: {seed: {range: [0, 19, 1]}}}]\nevaluate: [ti_code]\nencoders: {clip: clip}\n";
  const Json stored = world.plan_in_parts(yaml), whole = world.plan(yaml);
  CHECK(whole.dump().size() > 2 * stored.dump().size());
  CHECK_FALSE(whole.contains("shared"));
  for (std::size_t i = 0; i < whole["jobs"].size(); ++i) {
    const Json &in_parts = stored["jobs"][i], &job = whole["jobs"][i];
    CHECK(job_content(stored, in_parts) == job["job"]);
    CHECK(member_of(stored, in_parts["job"], "base") == job["job"]["base"]);
    CHECK(member_of(stored, in_parts["job"], "nothing").is_null());
    for (std::size_t k = 0; k < job["outputs"].size(); ++k) {
      const Json description = description_of(stored, in_parts["outputs"][k]);
      CHECK(description == job["outputs"][k]["description"]);
      CHECK(key_of(description) == job["outputs"][k]["key"]);
    }
  }
  CHECK(jobs(whole, "score")[0]["job"]["plugin"].is_null());  // what is its own counts
  CHECK(jobs(whole, "sample")[0]["job"]["plugin"].is_string());
}
