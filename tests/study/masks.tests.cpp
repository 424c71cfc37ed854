// Masked protocols in a study: nothing is trained or drawn again for them, and they score as `atelier eval` does.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/image/decode.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;
using atelier::Json;

namespace {

const std::string kPocketWorld = ATELIER_SOURCE_DIR "/experiments/pocket";
const std::string kTinyDino = ATELIER_SOURCE_DIR "/tests/parity/models/image_encoders/dino";

/// A cat of the pocket world, hardly trained, with a few pictures.
class MaskedPlace {
 public:
  [[nodiscard]] std::string study(const std::string& evaluations) const {
    const std::string path = folder_ / "study.yaml";
    std::ofstream(path) << fmt::format(R"(study: masked
concepts: {{root: {0}/concepts, list: [star_cat]}}
methods: {{textual_inversion: {{base: {0}/base, preset: pocket, options: {{embedding.max_train_steps: 2}}}}}}
sampler: {{scheduler: dpmpp_2m, steps: 5, guidance: 5.0}}
evaluate:
  - {{protocol: ti_code, images: 1, prompts: pocket/core}}
{1}
encoders: {{clip: {0}/base/clip, dino: {2}, segmenter: {0}/base/segmenter}}
placement: {{device: cpu, dtype: float32, threads: 1, slots: 2}}
)",
                                       kPocketWorld, evaluations, kTinyDino);
    return path;
  }

  [[nodiscard]] Outcome call(const std::vector<std::string>& words) const {
    auto all = words;
    all.insert(all.end(), {"--store", folder_ / "store"});
    Outcome done = run_atelier(all);
    INFO(done.out << done.err);
    REQUIRE(done.status == 0);
    return done;
  }

  [[nodiscard]] Json table(const std::vector<std::string>& columns) const {
    std::vector<std::string> words{"table", "masked", "--as", "json"};
    for (const auto& column : columns) words.insert(words.end(), {"--columns", column});
    return Json::parse(call(words).out);
  }

  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }

 private:
  TemporaryFolder folder_;
};

const std::string kMaskedEvaluations =
    "  - {protocol: core_masked, images: 1, prompts: pocket/core}\n"
    "  - {protocol: catversion_masked, images: 1, prompts: pocket/core}\n"
    "  - {protocol: core_masked, name: strict, images: 1, prompts: pocket/core, threshold: 255, encoders: [clip]}\n"
    "  - {protocol: catversion, images: 1, prompts: pocket/core}\n"
    "  - {protocol: cc101, images: 1, prompts: pocket/core}\n";

/// The method's mean in a column.
Json method_mean(const Json& table, const std::string& column) {
  for (const auto& row : table.at("rows")) {
    if (row.at("label") == "textual_inversion") return row.at("cells").at(column).at("mean");
  }
  return {};
}

std::string sheet_prompt(int n) { return fmt::format("p{}", n); }

/// What `export` wrote, as `atelier eval` wants folders: <side>/star_cat/p0/000.png, references by the photos' names.
void arrange(const fs::path& exported, const fs::path& generated) {
  const fs::path run = exported / "textual_inversion/star_cat/seed0";
  for (int n = 0; n < 6; ++n) {
    fs::create_directories(generated / "star_cat");
    fs::copy(run / fmt::format("pocket_core_{}", n), generated / "star_cat" / sheet_prompt(n));
  }
}

void arrange_photos(const fs::path& references, const fs::path& masks, const fs::path& made) {
  fs::create_directories(references / "star_cat");
  fs::create_directories(masks / "references/star_cat");
  for (int k = 0; k < 5; ++k) {
    const auto name = fmt::format("{:02}.png", k);
    fs::copy_file(kPocketWorld + "/concepts/star_cat/" + name, references / "star_cat" / name);
    fs::copy_file(made / fmt::format("{:03}.png", k), masks / "references/star_cat" / name);
  }
}

void write_masks_sheet(const fs::path& path) {
  // pocket/core and its edit phrases, written out: what the study takes from the prompt list.
  std::ofstream(path) << R"(schema: eval_sheet/1
concepts: [{name: star_cat, class: cat}]
prompts:
  - {id: p0, text: "a photo of a {} on the beach", score_text: "a photo of a cat on the beach", edit: "on the beach"}
  - {id: p1, text: "a photo of a {} in the snow", score_text: "a photo of a cat in the snow", edit: "in the snow"}
  - {id: p2, text: "a photo of a {} in space", score_text: "a photo of a cat in space", edit: "in space"}
  - {id: p3, text: "a photo of a {} wearing a hat", score_text: "a photo of a cat wearing a hat", edit: "wearing a hat"}
  - {id: p4, text: "a pencil drawing of a {}", score_text: "a pencil drawing of a cat", edit: "a pencil drawing", keeps_appearance: false}
  - {id: p5, text: "a photo of a {} at night", score_text: "a photo of a cat at night", edit: "at night"}
)";
}

Json evaluated_folder(const MaskedPlace& place, const std::string& protocol) {
  const TemporaryFolder& folder = place.folder();
  std::vector<std::string> words{"eval",
                                 "--protocol",
                                 protocol,
                                 "--generated",
                                 folder / "generated",
                                 "--references",
                                 folder / "references",
                                 "--prompts",
                                 folder / "sheet.yaml",
                                 "--encoder",
                                 "clip=" + kPocketWorld + "/base/clip",
                                 "--out",
                                 folder / (protocol + ".json")};
  if (protocol.ends_with("_masked")) words.insert(words.end(), {"--masks", folder / "masks"});
  if (protocol == "core_masked" || protocol == "cc101") words.insert(words.end(), {"--encoder", "dino=" + kTinyDino});
  const Outcome done = run_atelier(words);
  INFO(done.err);
  REQUIRE(done.status == 0);
  return atelier::read_json_file(folder / (protocol + ".json"));
}

}  // namespace

TEST_CASE("Masked protocols are added to a finished study without training or drawing, and score as atelier eval does",
          "[study][masks]") {
  const MaskedPlace place;
  static_cast<void>(place.call({"run", place.study("")}));
  const auto planned = place.call({"plan", place.study(kMaskedEvaluations)}).out;
  // Three runs with 6 prompts of a picture, and five photos; the third evaluation looks under the same masks.
  CHECK_THAT(planned,
             Catch::Contains("to do: 0 training jobs (0 steps), 0 sampling jobs (0 images), 15 scoring jobs") &&
                 Catch::Contains("to mask: 23 pictures and photos in 4 jobs"));
  // Five prompts that nothing has drawn yet: those alone.
  CHECK_THAT(
      place.call({"plan", place.study(kMaskedEvaluations + "  - {protocol: catversion, name: theirs, images: 1}")}).out,
      Catch::Contains("to do: 0 training jobs (0 steps), 3 sampling jobs (15 images), 18 scoring jobs"));

  static_cast<void>(place.call({"run", place.study(kMaskedEvaluations)}));
  CHECK_THAT(place.call({"plan", place.study(kMaskedEvaluations)}).out,
             Catch::Contains("0 scoring jobs") && !Catch::Contains("to mask"));
  const TemporaryFolder& folder = place.folder();
  static_cast<void>(place.call({"export", "masked", "--images", "--out", folder / "images"}));
  static_cast<void>(place.call({"export", "masked", "--masks", "--out", folder / "exported"}));
  arrange(folder / "images", folder / "generated");
  arrange(folder / "exported", folder / "masks/generated");
  arrange_photos(folder / "references", folder / "masks", folder / "exported/textual_inversion/star_cat/seed0/photos");
  write_masks_sheet(folder / "sheet.yaml");

  const auto check = [&](const std::string& protocol, const std::vector<std::string>& metrics) {
    std::vector<std::string> columns;
    for (const auto& metric : metrics) columns.push_back(protocol + "." + metric);
    const Json wanted = evaluated_folder(place, protocol).at("method"), found = place.table(columns);
    // `eval` takes all cores, the study one thread: sums of features may end otherwise in their last bits.
    for (std::size_t i = 0; i < metrics.size(); ++i) {
      INFO(columns[i]);
      REQUIRE(wanted.at(metrics[i]).at("mean").is_number());
      CHECK(method_mean(found, columns[i]).get<double>() ==
            Approx(wanted[metrics[i]]["mean"].get<double>()).epsilon(1e-7));
    }
  };
  check("core_masked", {"clip_i", "dino_i", "clip_t", "clip_i_kept", "dino_i_kept"});
  check("catversion_masked", {"clip_i", "clip_i_full", "clip_i_kept", "clip_t", "overall"});
  check("catversion", {"clip_i", "clip_i_kept", "clip_t", "overall"});
  check("cc101", {"clip_i", "dino_i", "clip_t"});

  // No probability reaches 255: every picture is a row with a status, and the photos' own masks still count.
  const Json strict = place.table({"strict.miss_rate", "strict.clip_i", "strict.clip_t", "strict.foreground"});
  CHECK(method_mean(strict, "strict.miss_rate") == 1.0);
  CHECK(method_mean(strict, "strict.foreground") == 0.0);
  CHECK(method_mean(strict, "strict.clip_i").is_null());
  CHECK(method_mean(strict, "strict.clip_t").is_number());

  const Json runs = Json::parse(place.call({"plan", place.study(kMaskedEvaluations), "--json"}).out).at("runs");
  const auto shown = place.call({"show", runs[0].at("id").get<std::string>(), "--masks", folder / "sheet.png"}).out;
  CHECK_THAT(shown, Catch::Contains("a photo of a {} on the beach") && Catch::Contains("photos, for core_masked"));
  const auto sheet = atelier::decode_file(folder / "sheet.png").image;
  CHECK(sheet.width == 5 * 128 + 4 * 4);
  CHECK(sheet.height == 7 * 128 + 6 * 4);
}

TEST_CASE(
    "Another program's pictures are masked too: one that is damaged is a row without scores, and photos with "
    "transparency are their own masks",
    "[study][masks]") {
  const MaskedPlace place;
  const fs::path cutout = ATELIER_SOURCE_DIR "/tests/eval/pictures/cutout";
  const fs::path pictures = place.folder() / "other/cut/pocket/photo/0";
  fs::create_directories(pictures);
  for (const char* name : {"00.png", "01.png"}) fs::copy_file(cutout / name, pictures / name);
  std::ofstream(pictures / "02.png") << "no picture";
  const std::string study = place.folder() / "study.yaml";
  std::ofstream(study) << fmt::format(R"(study: masked
concepts: [{{name: cut, path: {0}, class: cat}}]
methods: {{other: {{images: "other/{{concept}}/{{prompt}}/{{k:02}}.png"}}}}
evaluate: [{{protocol: core_masked, images: 3, prompts: pocket/photo, alpha: drop, encoders: [clip]}}]
encoders: {{clip: {1}/base/clip, segmenter: {1}/base/segmenter}}
placement: {{device: cpu, dtype: float32, threads: 1}}
)",
                                      cutout.string(), kPocketWorld);
  static_cast<void>(place.call({"run", study}));
  const Json cells = place.table({"core_masked.miss_rate", "core_masked.clip_i"}).at("rows").at(0).at("cells");
  CHECK(cells.at("core_masked.miss_rate").at("mean").get<double>() == Approx(1.0 / 3.0));
  CHECK(cells.at("core_masked.clip_i").at("mean").get<double>() > 0.8);  // the photos themselves
  static_cast<void>(place.call({"export", "masked", "--masks", "--out", place.folder() / "exported"}));
  for (const char* k : {"0", "1"}) {
    const auto made = atelier::load_mask(place.folder() / fmt::format("exported/other/cut/seed-/photos/00{}.png", k));
    const auto own = atelier::load_mask(kPocketWorld + "/concepts/star_cat/masks/0" + k + ".png");
    CHECK(made == own);
  }
}
