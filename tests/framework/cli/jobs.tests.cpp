#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using atelier::Json;
using atelier::parse_json;
namespace fs = std::filesystem;

namespace {

/// A folder with a "model", an input and an artifact: the command looks only whether they exist.
struct SamplePlace {
  SamplePlace() {
    fs::create_directories(folder / "model");
    for (const char* name : {"x.safetensors", "x2.safetensors", "cat.safetensors", "with:colon.safetensors"})
      std::ofstream(folder / name) << "x";
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (folder / name).string(); }
  [[nodiscard]] std::vector<std::string> sample(std::vector<std::string> more) const {
    std::vector<std::string> words = {"sample", "--model", *this / "model", "--out", *this / "out"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  TemporaryFolder folder;
};

Json job(const std::vector<std::string>& words) {
  const Outcome outcome = run_atelier(words);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return parse_json(outcome.out, "job");
}

void check_refused(const std::vector<std::string>& words, const std::string& part) {
  const Outcome outcome = run_atelier(words);
  INFO(outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.starts_with("atelier: "));
  CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
  CHECK_THAT(outcome.err, Catch::Contains(part));
}

}  // namespace

TEST_CASE("probe component hands its job to the worker", "[cli][probe]") {
  const SamplePlace place;
  const Json expected = {{"job", "probe.component"},
                         {"component", "unet"},
                         {"model", place / "model"},
                         {"model_config", nullptr},
                         {"in", {place / "x.safetensors", place / "x2.safetensors"}},
                         {"out", {place / "y", place / "y2"}},
                         {"device", "cuda:1"},
                         {"dtype", "bfloat16"},
                         {"threads", 3},
                         {"repeat", nullptr},
                         {"timings", nullptr},
                         {"variant", "fp16"},
                         {"allow_pickle", true}};
  CHECK(job({"probe",
             "component",
             "unet",
             "--model",
             place / "model",
             "--in",
             place / "x.safetensors",
             "--out",
             place / "y",
             "--in",
             place / "x2.safetensors",
             "--out",
             place / "y2",
             "--device",
             "cuda:1",
             "--dtype=bfloat16",
             "--threads",
             "3",
             "--variant",
             "fp16",
             "--allow-pickle"}) == expected);
}

TEST_CASE("probe scheduler hands its job to the worker, with settings as JSON values", "[cli][probe]") {
  const SamplePlace place;
  const Json expected = {
      {"job", "probe.scheduler"},
      {"scheduler", "dpmpp_2m"},
      {"model", place / "model"},
      {"steps", 20},
      {"set",
       {{"final_sigmas_type", "sigma_min"}, {"use_karras_sigmas", true}, {"eta", 0.5}, {"trained_betas", {0.1, 0.2}}}},
      {"in", {place / "x.safetensors"}},
      {"out", {place / "y"}},
      {"device", "cpu"},
      {"dtype", "float32"},
      {"model_config", nullptr},
      {"variant", nullptr},
      {"allow_pickle", false}};
  const Json got = job({"probe", "scheduler", "--set", "final_sigmas_type=sigma_min", "use_karras_sigmas=true",
                        "dpmpp_2m", "--model", place / "model", "--steps", "20", "--set", "eta=0.5", "--set",
                        "trained_betas=[0.1,0.2]", "--in", place / "x.safetensors", "--out", place / "y"});
  CHECK(got == expected);
}

TEST_CASE("sample hands over every option, and null for what was not given", "[cli][sample]") {
  const SamplePlace place;
  const Json plain = job(place.sample({"--prompt", "a cat"}));
  const Json expected = {{"job", "sample"},
                         {"model", place / "model"},
                         {"model_config", nullptr},
                         {"artifacts", Json::array()},
                         {"artifact_settings", Json::object()},
                         {"attention_maps", Json::array()},
                         {"edit", nullptr},
                         {"placeholder", nullptr},
                         {"prompts", {"a cat"}},
                         {"images", 1},
                         {"seed", 0},
                         {"steps", 50},
                         {"guidance", 7.5},
                         {"scheduler", nullptr},
                         {"scheduler_set", Json::object()},
                         {"size", nullptr},
                         {"out", place / "out"},
                         {"latents_in", nullptr},
                         {"latents_out", nullptr},
                         {"negative", nullptr},
                         {"base_prompt", nullptr},
                         {"reward_guidance", nullptr},
                         {"class_word", nullptr},
                         {"lora_scale", 1.0},
                         {"device", "cpu"},
                         {"dtype", "float32"},
                         {"variant", nullptr},
                         {"allow_pickle", false},
                         {"threads", nullptr},
                         {"batch", nullptr},
                         {"preview_every", nullptr},
                         {"json", false}};
  CHECK(plain == expected);
}

TEST_CASE("sample hands over what was given", "[cli][sample]") {
  const SamplePlace place;
  std::ofstream(place / "prompts.txt") << "\xEF\xBB\xBF"
                                          "a {} in a hat\r\n\n  \nanother\xE2\x80\xA8line";
  const Json got = job(place.sample({"--artifact",
                                     place / "cat.safetensors:0.5",
                                     place / "with:colon.safetensors",
                                     "--artifact",
                                     place / "with:colon.safetensors:-2",
                                     "--placeholder",
                                     "<cat>",
                                     "--class",
                                     "cat",
                                     "--prompts",
                                     place / "prompts.txt",
                                     "-n8",
                                     "--seed",
                                     "7",
                                     "--steps",
                                     "30",
                                     "--guidance",
                                     "-1.5",
                                     "--size",
                                     "768x512",
                                     "--scheduler",
                                     "lcm",
                                     "--base-prompt",
                                     "a cat",
                                     "--reward-guidance",
                                     "0",
                                     "--lora-scale",
                                     "0.8",
                                     "--json",
                                     "--latents-in",
                                     place / "x.safetensors",
                                     "--latents-out",
                                     place / "z.safetensors",
                                     "--batch",
                                     "2"}));
  CHECK(got["artifacts"] == Json({{{"path", place / "cat.safetensors"}, {"weight", 0.5}},
                                  {{"path", place / "with:colon.safetensors"}, {"weight", 1.0}},
                                  {{"path", place / "with:colon.safetensors"}, {"weight", -2.0}}}));
  CHECK(got["prompts"] == Json({"a {} in a hat", "another\u2028line"}));  // lines end at \n only
  CHECK(got["size"] == Json({768, 512}));                                 // width, height
  CHECK(got["images"] == 8);
  CHECK(got["guidance"] == -1.5);
  CHECK(got["reward_guidance"] == 0.0);
  CHECK(got["latents_in"] == place / "x.safetensors");
  CHECK(got["json"] == true);
}

TEST_CASE("sample hands over edits and the words whose maps are wanted", "[cli][sample]") {
  const SamplePlace place;
  const Json got = job(place.sample({"--prompt", "a red cat", "--attention-maps", "cat", "--edit", "a red dog",
                                     "--cross-replace", "0.6", "--cross-replace", "dog=0.1:0.4", "--self-replace",
                                     "0.2:0.5", "--reweight", "red=-2.5", "--blend", "cat,red", "--blend", "dog"}));
  CHECK(got["attention_maps"] == Json({"cat"}));
  CHECK(got["edit"] == Json({{"prompts", {"a red dog"}},
                             {"mode", "auto"},
                             {"cross", {0.0, 0.6}},
                             {"of_words", Json::array({Json::array({"dog", {0.1, 0.4}})})},
                             {"self", {0.2, 0.5}},
                             {"factors", Json::array({Json::array({"red", -2.5})})},
                             {"blend", {{"cat", "red"}, {"dog"}}},
                             {"threshold", 0.3}}));
}

TEST_CASE("sample refuses edits that cannot be read", "[cli][sample]") {
  const SamplePlace place;
  const auto edited = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--prompt", "a cat", "--edit", "a dog"});
    return place.sample(std::move(more));
  };
  check_refused(edited({"--cross-replace", "1.5"}), "shares of the steps from 0 to 1");
  check_refused(edited({"--self-replace", "0.5:0.2"}), "--self-replace");
  check_refused(edited({"--reweight", "dog"}), "WORD=FACTOR");
  check_refused(edited({"--blend", "cat"}), "2 times");
  check_refused(place.sample({"--prompt", "a cat", "--reweight", "cat=2"}), "an --edit");
}

TEST_CASE("the default guidance is 5 where the pipeline has two text encoders", "[cli][sample]") {
  const SamplePlace place;
  std::ofstream(place / "model/model_index.json")
      << R"({"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]})";
  CHECK(job(place.sample({"--prompt", "a"}))["guidance"] == 5.0);
  std::ofstream(place / "model/model_index.json") << R"({"text_encoder_2": [null, null]})";
  CHECK(job(place.sample({"--prompt", "a"}))["guidance"] == 7.5);
}

TEST_CASE("prompts keep every character, also what option parsers like to eat", "[cli][sample]") {
  const SamplePlace place;
  const Json got = job(place.sample({"--prompt", "a [V] dog", "[x]", "", "{}", "ein Bär, \"quoted\"",
                                     "--negative=", "--prompt=--steps", "--seed", "3"}));
  CHECK(got["prompts"] == Json({"a [V] dog", "[x]", "", "{}", "ein Bär, \"quoted\"", "--steps"}));
  CHECK(got["negative"] == "");
  CHECK(got["seed"] == 3);
}

TEST_CASE("the exit code of the worker is the command's", "[cli]") {
  const SamplePlace place;
  Child child{.words = {ATELIER_PROGRAM},
              .variables = {{"ATELIER_WORKER", ATELIER_FAKE_WORKER}, {"FAKE_WORKER_EXIT", "3"}}};
  for (const auto& word : place.sample({"--prompt", "a"})) child.words.push_back(word);
  CHECK(run_child(child).code == 3);
  child.variables["ATELIER_WORKER"] = place / "nothing";
  const Outcome missing = run_child(child);
  CHECK(missing.code == 1);
  CHECK_THAT(missing.err, Catch::Contains("No such file") && Catch::Contains("make build"));
}

TEST_CASE("a wrong value is refused with what was found and what is expected", "[cli][usage]") {
  const SamplePlace place;
  const auto refused = [&](const std::vector<std::string>& more, const std::string& part) {
    auto words = place.sample({"--prompt", "a"});
    words.insert(words.end(), more.begin(), more.end());
    check_refused(words, part);
  };
  refused({"--size", "512x500"}, "'512x500'; expected WIDTHxHEIGHT, multiples of 8");
  refused({"--size", "512"}, "expected WIDTHxHEIGHT");
  refused({"--size", "0x512"}, "expected WIDTHxHEIGHT");
  refused({"--steps", "ten"}, "--steps: found 'ten'; expected a whole number from 1");
  refused({"--steps", "0"}, "found '0'");
  refused({"--guidance", "nan"}, "found 'nan'; expected a number");
  refused({"--device", "gpu"}, "found 'gpu'; expected cpu, cuda or cuda:K");
  refused({"--dtype", "bfloat61"}, "did you mean 'bfloat16'?");
  refused({"--scheduler", "dpmpp_3m"}, "did you mean 'dpmpp_2m'?");
  refused({"--artifact", place / "none.safetensors"}, "does not exist");
  refused({"--artifact", place / "cat.safetensors:heavy"}, "the weight 'heavy'");
  refused({"--set", "key"}, "KEY=VALUE");
  refused({"--set", "a=1", "a=2"}, "'a' twice");
  refused({"--prompts", place / "x.safetensors"}, "--prompt, --prompts: both");
  refused({"--reward-guidance", "2"}, "--base-prompt");
  refused({"--seed", "1", "--seed", "2"}, "--seed: given twice");
  refused({"--seed"}, "--seed: nothing after it");
  refused({"--seed", "--steps", "4"}, "--seed: nothing after it");
  refused({"--stepps", "4"}, "no option '--stepps'; did you mean '--steps'?");
  refused({"--json=yes"}, "--json: '--json=yes'; expected no value");
  refused({"--latents-out", place / "nowhere/z.safetensors"}, "mkdir -p");
  refused({"--negative", "\xff"}, "--negative: byte 0xff at offset 0; expected UTF-8");
}

TEST_CASE("a prompts file that is not UTF-8 or empty is refused with its line", "[cli][usage]") {
  const SamplePlace place;
  for (const std::string bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    std::ofstream(place / "bad.txt") << "fine ü\n" << bad;
    check_refused(place.sample({"--prompts", place / "bad.txt"}), "bad.txt:2: byte 0x");
  }
  std::ofstream(place / "bad.txt") << "\n \n";
  check_refused(place.sample({"--prompts", place / "bad.txt"}), "one prompt a line");
}

TEST_CASE("inputs and outputs must pair up", "[cli][usage]") {
  const SamplePlace place;
  const std::vector<std::string> start = {
      "probe", "component", "unet", "--model", place / "model", "--in", place / "x.safetensors"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), start.begin(), start.end());
    return more;
  };
  check_refused(with({"--in", place / "x2.safetensors", "--out", place / "y"}), "2 and 1 files");
  check_refused(with({"--in", place / "x.safetensors", "--out", place / "y", "--out", place / "./y"}), "twice");
  check_refused(with({"--out", place / "model"}), "is a folder");
  check_refused(with({}), "--out is required");
  check_refused({"probe", "component", "unett", "--model", place / "model"}, "did you mean 'unet'?");
  check_refused({"probe", "component", "unet", "--model", place / "none"}, "required");
  check_refused({"probe", "component", "image_encoder", "--model", place / "model", "--in", place / "x.safetensors",
                 "--out", place / "y"},
                "no config.json");
  auto words = with({"--out", place / "y"});
  words[4] = place / "none";
  check_refused(words, "no such path");
}

TEST_CASE("an unknown command names the nearest one", "[cli][usage]") {
  check_refused({"smaple"}, "no command 'smaple'; did you mean 'sample'?");
  check_refused({"probe", "tokeniser", "x"}, "atelier: probe: no command 'tokeniser'; did you mean 'tokenizer'?");
  check_refused({"probe"}, "see 'atelier probe --help'");
  check_refused({"quantum"}, "expected one of sample, probe");
}
