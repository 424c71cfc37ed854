#include "framework/config/study.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>

#include "tests/framework/config/known.h"

using namespace atelier;
using Catch::Contains;

namespace {

// 4 concepts. textreg: 4 · 3 seeds · 4 - 12 excluded = 36. ours: 12, of which 2 become 6: 16. dco: 12 with rank 4, and
// 12 · 2 with rank 8: 36. neti: one for each concept, for its pictures know no seed: 4. Together 92.
const char* const kKitchenSink = R"(# Everything at once.
study: kitchen_sink
concepts:
  set: large
  root: ~/data
  exclude: [clock]
  class: {dog: {default: dog, dco: puppy}, vase: vase}
methods:
  textreg: {base: sd15, ti: {learning_rate: 1e-3}}
  ours: {method: textreg, base: "sd15", preset: paper, options: {ut.max_grad_norm: 1}}
  dco: {base: sdxl, sampler: {scheduler: euler, steps: 30}}
  neti: {images: "out/neti/{concept}/{prompt}/{k}.png"}
sweep:
  - grid: {seed: [0, 1, 2]}
  - when: {method: textreg}
    grid: {ut.learning_rate: [1.0e-4, 4e-4], mask_identifier_ratio: [0.5, 0.75]}
  - exclude: {method: textreg, ut.learning_rate: 4.0e-4, mask_identifier_ratio: 0.75}
  - when: {method: dco}
    each: [{rank: 4}, {rank: 8, lora.learning_rate: 1e-5}]
  - when: {method: dco, rank: 8}
    zip: {lora.lr_scheduler: [linear, polynomial], lora.lr_warmup_steps: [0, 10]}
  - when: {method: ours, concept: [dog, vase], seed: 0}
    grid: {ti: {learning_rate: {log: [1e-4, 1e-2, 3]}}}
checkpoints: {textreg: [0, 500, 2000], dco: [500, 1000]}
evaluate: [ti_code, {protocol: dreambooth, name: db8, images: 8, prompts: ti/reconstruction, size: 256, resize: antialias}]
encoders: {clip: ~/models/clip}
sampler: {guidance: 5, settings: {timestep_spacing: leading}}
sample_seed: 11
size: 512
placement: {device: "cuda:0,1", dtype: bfloat16, threads: 2}
preview: {every: 50, prompts: ["a photo of {}"]}
snapshot: {every_steps: 100, every_seconds: 60.5}
keep: all
tables:
  main: {rows: method, columns: [ti_code.clip_i, db8.clip_t, seconds], over: [concept, seed], compare_to: textreg,
         margins: {clip_i: 0.02, db8.clip_t: 1e-2}}
select: {development: [dog], best: db8.clip_t}
)";

Study kitchen_sink() { return read_study(kKitchenSink, "sink.yaml", {}, tests::known()); }

std::size_t count(const std::vector<Cell>& cells, const std::string& label) {
  return static_cast<std::size_t>(std::ranges::count(cells, label, &Cell::label));
}

std::set<std::string> identities(const std::vector<Cell>& cells) {
  std::set<std::string> texts;
  for (const auto& cell : cells) {
    texts.insert(Json({cell.label, cell.method, cell.base, cell.subject, cell.seed, cell.options}).dump());
  }
  return texts;
}

std::vector<Cell> cells_of(const std::string& sweep) {
  const auto text = "study: t\nconcepts: [dog]\nmethods: {dco: {base: sdxl}}\nsweep:\n" + sweep;
  return read_study(text, "t.yaml", {}, tests::known()).cells;
}

/// One random edit: a byte changed, removed or inserted, a line removed, doubled or moved.
std::string mutated(std::string text, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  const std::string alphabet = "{}[]:,-#&*!|>'\"%@`? \n\t019azé.~\\";
  const auto line_at = [&](std::size_t i) {
    const auto begin = text.rfind('\n', i);
    const auto end = text.find('\n', i + 1);
    return std::pair(begin == std::string::npos ? 0 : begin, end == std::string::npos ? text.size() : end);
  };
  const auto at = below(text.size());
  const auto [begin, end] = line_at(at);
  const auto line = text.substr(begin, end - begin);
  switch (below(5)) {
    case 0:
      text[at] = alphabet[below(alphabet.size())];
      break;
    case 1:
      text.erase(at, 1 + below(3));
      break;
    case 2:
      text.insert(at, 1, alphabet[below(alphabet.size())]);
      break;
    case 3:
      text.erase(begin, line.size());
      break;
    default:
      text.insert(line_at(below(text.size())).second, line);
  }
  return text;
}

}  // namespace

TEST_CASE("a study with everything in it expands to the cells that were counted by hand", "[config][study]") {
  const auto cells = kitchen_sink().cells;
  CHECK(count(cells, "textreg") == 36);
  CHECK(count(cells, "ours") == 16);
  CHECK(count(cells, "dco") == 36);
  CHECK(count(cells, "neti") == 4);
  CHECK(cells.size() == 92);
  CHECK(identities(cells).size() == 92);
}

TEST_CASE("cells say what was chosen, what the sweep set, and everything resolved", "[config][study]") {
  const auto cells = kitchen_sink().cells;
  const auto& first = cells.front();
  CHECK(first.label == "textreg");
  CHECK(first.subject == "dog");
  CHECK(first.preset == "published");
  CHECK(first.assigned == Json({{"seed", 0}, {"ut.learning_rate", 1e-4}, {"mask_identifier_ratio", 0.5}}));
  CHECK(first.chosen.at("ti.learning_rate") == 1e-3);
  CHECK(first.options.size() == tests::textreg_spec().options.size());
  const auto ours = std::ranges::find(cells, "ours", &Cell::label);
  CHECK(ours->method == "textreg");
  CHECK(ours->preset == "paper");
  CHECK(ours->options.at("mask_identifier_ratio") == 0.75);
  CHECK(ours->options.at("ut.max_grad_norm").is_number_float());
  CHECK(ours->options.at("ti.learning_rate") == 1e-4);
  CHECK(std::next(ours)->options.at("ti.learning_rate") == 1e-3);
  CHECK(cells.back().label == "neti");
  CHECK(cells.back().method.empty());
}

TEST_CASE("the order of cells is the same in every reading", "[config][study]") {
  const auto a = kitchen_sink().cells;
  const auto b = kitchen_sink().cells;
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK((a[i].label == b[i].label && a[i].subject == b[i].subject && a[i].seed == b[i].seed &&
           a[i].options == b[i].options));
  }
}

TEST_CASE("the parts of a study arrive as they were written", "[config][study]") {
  const auto study = kitchen_sink();
  CHECK(study.name == "kitchen_sink");
  CHECK(study.concepts.size() == 4);
  CHECK(study.concepts[0].class_word == std::map<std::string, std::string>{{"", "dog"}, {"dco", "puppy"}});
  CHECK(study.checkpoints.at("textreg") == std::vector<std::int64_t>{0, 500, 2000});
  CHECK(study.evaluate[1].name == "db8");
  CHECK(study.evaluate[1].images == 8);
  CHECK(study.evaluate[1].overrides == Json({{"resize", "antialias"}}));
  CHECK(study.encoders.at("clip") == "~/models/clip");
  CHECK(study.sampler->guidance == std::vector{5.0});
  CHECK_FALSE(study.sampler->steps.has_value());
  CHECK(study.methods[2].sampler->steps == 30);
  CHECK(study.methods[3].images == "out/neti/{concept}/{prompt}/{k}.png");
  CHECK(study.placement.dtype == "bfloat16");
  CHECK(study.snapshot.every_seconds == 60.5);
  CHECK(study.preview->prompts == std::vector<std::string>{"a photo of {}"});
  REQUIRE(study.select);
  CHECK(select_json(*study.select) == Json{{"development", {"dog"}}, {"best", "db8.clip_t"}});
  CHECK(study.tables.at("main").margins == std::map<std::string, double>{{"clip_i", 0.02}, {"db8.clip_t", 0.01}});
  CHECK(study.tables.at("main").over == std::vector<std::string>{"concept", "seed"});
}

TEST_CASE("a small study has defaults for all the rest", "[config][study]") {
  const auto study = read_study("study: t\nconcepts: [a/dog, {path: b/cat, class: cat}]\nmethods: {dco: {base: x}}\n",
                                "t.yaml", {}, tests::known());
  CHECK(study.concepts[0].name == "dog");
  CHECK(study.concepts[1].path == "b/cat");
  CHECK_FALSE(study.sampler.has_value());
  CHECK(study.keep == "all");
  CHECK(study.checkpoints.empty());
  CHECK(study.cells.size() == 2);
  CHECK(study.cells[0].seed == 0);
}

TEST_CASE("ranges and log ranges become the numbers that were meant", "[config][study]") {
  const auto ranks = cells_of("  - grid: {rank: {range: [4, 16, 4]}}\n");
  CHECK(ranks.size() == 4);
  CHECK(ranks[3].options.at("rank") == 16);
  CHECK(ranks[3].options.at("rank").is_number_integer());
  const auto rates = cells_of("  - grid: {lora.learning_rate: {range: [0.1, 0.3, 0.1]}}\n");
  CHECK(rates.size() == 3);
  CHECK(rates[2].options.at("lora.learning_rate") == 0.3);
  const auto logs = cells_of("  - grid: {lora.learning_rate: {log: [1e-5, 1e-3, 3]}}\n");
  CHECK(logs[1].options.at("lora.learning_rate") == 1e-4);
  CHECK(logs[2].options.at("lora.learning_rate") == 1e-3);
}

TEST_CASE("overrides are applied before anything is checked", "[config][study]") {
  const auto study = read_study(kKitchenSink, "sink.yaml",
                                {"methods.ours.ut.max_grad_norm=2", "methods.ours.options={}", "keep=all",
                                 "sweep.0.grid.seed=[9, 0]", "methods.textreg.ut.train_batch_size=4"},
                                tests::known());
  const auto cells = study.cells;
  CHECK(count(cells, "textreg") == 24);
  CHECK(cells[0].seed == 9);
  CHECK(cells[0].options.at("ut.train_batch_size") == 4);
  CHECK(std::ranges::find(cells, "ours", &Cell::label)->options.at("ut.max_grad_norm") == 2.0);
  CHECK(study.keep == "all");
}

TEST_CASE("a resolved study is a study with the same cells, and resolves to itself", "[config][study]") {
  const auto study = kitchen_sink();
  const auto json = resolved_study(study);
  CHECK(json.at("methods").at("dco").at("options").at("steps") == 1000);
  CHECK_FALSE(json.at("methods").at("dco").at("options").contains("rank"));
  CHECK_FALSE(json.at("methods").at("dco").at("options").contains("lora.lr_power"));
  const auto again = read_study(pretty_json(json), "resolved", {}, tests::known());
  CHECK(identities(again.cells) == identities(study.cells));
  CHECK(resolved_study(again) == json);
}

TEST_CASE("a tree that a command builds is read like a text, and its faults name the options that gave the values",
          "[config][study]") {
  const Json value{{"study", "t"},
                   {"concepts", {{{"name", "dog"}, {"path", "a/dog"}, {"class", "3"}}}},
                   {"methods", {{"dco", {{"base", "sdxl"}, {"options", {{"rank", 8}, {"lora.learning_rate", 1e-5}}}}}}},
                   {"seed", 7}};
  auto root = yaml_node(value, {.line = 1, .column = 0, .override_text = "--here", .command = true});
  CHECK(yaml_json(root) == value);
  const auto study = read_study(root, "train", tests::known());
  const auto text = read_study(pretty_json(value), "train", {}, tests::known());
  CHECK(study.cells.at(0).options == text.cells.at(0).options);
  CHECK(study.concepts.at(0).class_word.at("") == "3");
  CHECK(study.text == pretty_json(value));
  auto wrong = value;
  wrong["methods"]["dco"]["options"]["rank"] = 0;
  root = yaml_node(wrong, {.line = 1, .column = 0, .override_text = "--here", .command = true});
  CHECK_THROWS_WITH(read_study(root, "train", tests::known()), "--here: rank: 0; expected an integer from 1 to 512");
}

TEST_CASE("a damaged study gives a study or an error, never anything else", "[config][study]") {
  std::mt19937 random(7);
  int studies = 0;
  int errors = 0;
  for (int i = 0; i < 400; ++i) {
    std::string text = kKitchenSink;
    for (int edits = 1 + i % 4; edits > 0; --edits) text = mutated(std::move(text), random);
    try {
      static_cast<void>(resolved_study(read_study(text, "m.yaml", {}, tests::known())));
      ++studies;
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK_FALSE(fault_lines(error).empty());
      ++errors;
    }
  }
  CHECK(studies + errors == 400);
  CHECK(studies > 0);  // some edits are harmless
  CHECK(errors > 200);
}

TEST_CASE("damaged overrides give a study or an error", "[config][study]") {
  std::mt19937 random(8);
  for (int i = 0; i < 100; ++i) {
    auto text = mutated("methods.textreg.ut.learning_rate=[1e-4, {a: b}]", random);
    try {
      static_cast<void>(read_study(kKitchenSink, "m.yaml", {text}, tests::known()));
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
    }
  }
}

TEST_CASE("aliases cannot make a small file large", "[config][yaml]") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const auto before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 8; ++k) text += ", " + before;
    text += "]\n";
  }
  CHECK_THROWS_WITH(read_study(text, "bomb.yaml", {}, tests::known()), Contains("bomb.yaml:1:5: an anchor"));
  CHECK_THROWS_WITH(read_study(std::string((1 << 20) + 1, ' '), "b.yaml", {}, tests::known()),
                    Contains("at most 1 MiB"));
  CHECK_THROWS_AS(read_study("a: " + std::string(100000, '['), "b.yaml", {}, tests::known()), Error);
  CHECK_THROWS_AS(read_study("a: " + std::string(100000, '-'), "b.yaml", {}, tests::known()), Error);
  CHECK_THROWS_WITH(read_study("a: [" + std::string(300000, ',') + "]", "b.yaml", {}, tests::known()),
                    Contains("b.yaml"));
}

TEST_CASE("scalars have YAML 1.2's types, without its surprises", "[config][yaml]") {
  const auto value = [](const std::string& text) {
    Faults faults("t");
    const auto node = parse_yaml(text, faults);
    CHECK(faults.empty());
    return yaml_json(node);
  };
  CHECK(value("12") == 12);
  CHECK(value("-0") == 0);
  CHECK(value("+3").is_number_integer());
  CHECK(value("1e-4") == 1e-4);
  CHECK(value("1.5E+3") == 1500.0);
  CHECK(value(".5") == 0.5);
  CHECK(value("5.") == 5.0);
  CHECK(value("true") == true);
  CHECK(value("~").is_null());
  for (const auto* text : {"yes", "no", "on", "off", "010", "0o10", "0x10", "1_000", "1:30", ".inf", "nan", "1e999",
                           "00.5", "1.2.3", "e5", "2026-01-02", "99999999999999999999"}) {
    CHECK(value(text) == Json(text));
  }
  CHECK(value("'12'") == "12");
  CHECK(value("\"null\"") == "null");
  CHECK(value("|\n  12\n") == "12\n");
  CHECK(value("[a, {b: 1}]") == Json::parse(R"(["a", {"b": 1}])"));
}

TEST_CASE("a fault's line survives in the one error", "[config][yaml]") {
  Faults faults("f.yaml");
  faults.add({.line = 9, .column = 2}, "b", "c");
  faults.add({.line = 3, .column = 1}, "a", "", "do d");
  faults.add({.line = 3, .column = 1}, "a", "", "do d");
  faults.add({.line = 0, .column = 0, .override_text = "--set x"}, "z");
  try {
    faults.raise();
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(fault_lines(error) ==
          std::vector<std::string>{"f.yaml:3:1: a; do d", "f.yaml:9:2: b; expected c", "--set x: z"});
    CHECK_THAT(error.what(), Contains("f.yaml: 3 faults") && !Contains("\n"));
  }
}

TEST_CASE("guidance and reward guidance are a number or a list of them; null is no reward guidance",
          "[config][study]") {
  const std::string head = "study: t\nconcepts: {set: small}\nmethods: {dco: {base: sdxl}}\nsampler: ";
  const auto sampler = [&](const std::string& text) {
    return *read_study(head + text + "\n", "study.yaml", {}, tests::known()).sampler;
  };
  CHECK(sampler("{guidance: [5, 7.5]}").guidance == std::vector{5.0, 7.5});
  const auto rewards = sampler("{reward_guidance: [null, 0, 3]}").reward_guidance;
  REQUIRE(rewards.size() == 3);
  CHECK_FALSE(rewards[0].has_value());
  CHECK(rewards[1] == 0.0);
  CHECK(sampler("{reward_guidance: null}").reward_guidance.size() == 1);
  CHECK(sampler("{steps: 3}").reward_guidance.empty());
  const auto fault = [&](const std::string& text) -> std::string {
    try {
      static_cast<void>(sampler(text));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(fault("{reward_guidance: [3, 3.0]}"),
             Catch::Contains("5:") || Catch::Contains("sampler.reward_guidance: 3 twice"));
  CHECK_THAT(fault("{reward_guidance: []}"), Catch::Contains("sampler.reward_guidance: an empty list"));
  CHECK_THAT(fault("{guidance: [null]}"), Catch::Contains("sampler.guidance"));
  CHECK_THAT(fault("{reward_guidance: -1}"), Catch::Contains("sampler.reward_guidance"));
}

TEST_CASE("a table may have the guidance that a sampler sweeps as an axis, and no other", "[config][study]") {
  const auto tables = [](const std::string& sampler, const std::string& axis) {
    return read_study("study: t\nconcepts: {set: small}\nmethods: {dco: {base: sdxl}}\nsampler: " + sampler +
                          "\ntables: {curve: {rows: [method, " + axis + "], columns: [seconds]}}\n",
                      "study.yaml", {}, tests::known())
        .tables.size();
  };
  CHECK(tables("{reward_guidance: [0, 3]}", "reward_guidance") == 1);
  CHECK_THROWS_AS(tables("{reward_guidance: 3}", "reward_guidance"), Error);
  CHECK_THROWS_AS(tables("{reward_guidance: [0, 3]}", "guidance"), Error);
}

TEST_CASE("development concepts are named, or are a part of the published set", "[config][study]") {
  const auto study = [](const std::string& concepts, const std::string& development) {
    return "study: t\nconcepts: " + concepts + "\nmethods: {dco: {base: x}}\nevaluate: [ti_code]\n" +
           "tables: {main: {columns: [ti_code.clip_i]}}\nselect: {development: " + development +
           ", best: ti_code.clip_i}\n";
  };
  const std::string small = "{set: small, root: r}";
  const auto read = [&](const std::string& text) { return read_study(text, "t.yaml", {}, tests::known()); };
  CHECK(read(study(small, "here")).select->development == std::vector<std::string>{"dog"});  // no clock in this one
  CHECK(read(study(small, "there")).select->development == std::vector<std::string>{"teapot", "vase"});
  CHECK_THROWS_WITH(read(study(small, "hear")), Contains("no part of small") && Contains("one of here, there"));
  CHECK_THROWS_WITH(read(study("{set: small, root: r, exclude: [dog]}", "here")), Contains("has concepts of"));
  CHECK_THROWS_WITH(read(study("[dog, cat]", "here")), Contains("a list of concepts"));
}
