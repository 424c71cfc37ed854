#include "reports/table.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <tuple>

#include "framework/core/error.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

const Cell& cell(const Table& table, const std::string& row, const std::string& column) {
  const auto found = std::ranges::find(table.rows, row, &TableRow::label);
  REQUIRE(found != table.rows.end());
  const auto place = std::ranges::find(table.columns, column);
  REQUIRE(place != table.columns.end());
  return found->cells.at(static_cast<std::size_t>(place - table.columns.begin()));
}

std::vector<std::string> labels(const Table& table) {
  std::vector<std::string> all;
  for (const auto& row : table.rows) all.push_back(row.label);
  return all;
}

}  // namespace

TEST_CASE("a cell is the mean over pictures, prompts, seeds and concepts", "[reports][table]") {
  StudyInStore study;
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti")), 0.0);
  study.publish_scores(study.score_job(study.run("ti", "cat", 1, "ti")), 0.02);
  study.publish_scores(study.score_job(study.run("ti", "dog", 0, "ti")), 0.03);
  study.publish_scores(study.score_job(study.run("ti", "dog", 1, "ti")), 0.03);
  const auto table = study.table();
  CHECK(table.columns ==
        std::vector<std::string>{"ti_code.clip_i", "ti_code.clip_t", "ti_code.reconstruction", "ti_code.editability"});
  // Prompts: 0.7 and 0.4, so 0.55; cat 0.55 + (0 + 0.02) / 2 = 0.56, dog 0.58; se = |0.02| / sqrt(2) / sqrt(2) = 0.01.
  const auto& image = cell(table, "ti", "ti_code.clip_i");
  CHECK(*image.mean == Approx(0.57));
  CHECK(*image.se == Approx(0.01));
  CHECK(image.concepts == 2);
  CHECK(image.runs == 4);
  CHECK(*cell(table, "ti", "ti_code.clip_t").mean == Approx(0.22));          // (0.1 + 0.3) / 2 + 0.02
  CHECK(*cell(table, "ti", "ti_code.reconstruction").mean == Approx(0.72));  // 0.7 + 0.02
  CHECK(*cell(table, "ti", "ti_code.editability").mean == Approx(0.32));     // 0.3 + 0.02
  CHECK(table.notes.empty());
}

TEST_CASE("a scaled text score is scaled in the table; the store keeps cosines", "[reports][table]") {
  StudyInStore study;
  study.add_evaluation("cc", "cc101");
  study.manifest()["protocols"]["cc"]["scoring"]["text_scale"] = 2.5;
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti"), {"cc"}), 0.0, "cc101");
  study.publish_scores(study.score_job(study.run("ti", "dog", 0, "ti"), {"cc"}), -0.15, "cc101");
  const auto table = study.table({.columns = {"cc.clip_t", "cc.clip_i"}});
  // cat: 2.5 · (0.1 + 0.3) / 2. dog: a prompt of -0.05, which counts as 0, and one of (0.05 + 0.25) / 2.
  CHECK(cell(table, "ti", "cc.clip_t").values[0].second == Approx(0.5));
  CHECK(cell(table, "ti", "cc.clip_t").values[1].second == Approx(0.1875));
  CHECK(*cell(table, "ti", "cc.clip_i").mean == Approx(0.475));
}

TEST_CASE("ti_paper's editability is the cosine of the mean embedding, in columns of its own", "[reports][table]") {
  StudyInStore study;
  study.add_evaluation("ti_paper", "ti_paper");
  const auto run = study.run("ti", "cat", 0, "ti");
  study.publish_scores(study.score_job(run), 0.0);
  study.publish_scores(study.score_job(run, {"ti_paper"}), 0.1, "ti_paper");
  const auto table = study.table();
  CHECK(*cell(table, "ti", "ti_code.editability").mean == Approx(0.3));
  CHECK(*cell(table, "ti", "ti_paper.editability").mean == Approx(0.45));
  CHECK_FALSE(cell(table, "ti", "ti_paper.editability").se);  // one concept
}

TEST_CASE("two evaluations by one protocol have columns of their own", "[reports][table]") {
  StudyInStore study;
  study.add_evaluation("large", "ti_code");  // told apart by nothing but the size of its pictures
  const auto run = study.run("ti", "cat", 0, "ti");
  study.publish_scores(study.score_job(run), 0.0);
  study.publish_scores(study.score_job(run, {"large"}), 0.1);
  const auto table = study.table();
  CHECK(*cell(table, "ti", "ti_code.reconstruction").mean == Approx(0.7));
  CHECK(*cell(table, "ti", "large.reconstruction").mean == Approx(0.8));
}

TEST_CASE("a scoring that two evaluations share stands in the columns of both", "[reports][table]") {
  StudyInStore study;
  study.add_evaluation("again", "ti_code");
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti"), {"ti_code", "again"}), 0.0);
  const auto failing = study.run("dco", "cat", 0, "dco");
  study.fail(study.score_job(failing, {"ti_code", "again"}), "method", "no");
  const auto table = study.table();
  for (const auto* column : {"ti_code.reconstruction", "again.reconstruction"}) {
    CHECK(*cell(table, "ti", column).mean == Approx(0.7));
    CHECK(cell(table, "dco", column).failed);
  }
}

TEST_CASE("scorings that cannot be told apart are not shown", "[reports][table]") {
  StudyInStore study;
  study.add_evaluation("twin", "ti_code");
  const auto run = study.run("ti", "cat", 0, "ti");
  study.publish_scores(study.unnamed_score_job(run, "ti_code"), 0.0);
  study.publish_scores(study.unnamed_score_job(run, "twin"), 0.1);
  const auto table = study.table();
  CHECK_FALSE(cell(table, "ti", "ti_code.clip_i").mean);
  CHECK(cell(table, "ti", "ti_code.clip_i").ambiguous);
  CHECK_THAT(to_markdown(table), Contains("¶ Two scorings"));
}

TEST_CASE("checkpoints and sweeps have rows of their own, anchors and references come last", "[reports][table]") {
  StudyInStore study;
  const auto word = study.run("anchor:class_word", "cat", Json(), "class word (sd)");
  study.publish_scores(study.score_job(word), -0.1);
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti lr=1", 100, {{"lr", 1}})), 0.0);
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti lr=1", 200, {{"lr", 1}})), 0.1);
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti lr=2", 100, {{"lr", 2}})), 0.2);
  const auto table = study.table({.rows = {"method"}});  // what a study's table says by default
  CHECK(labels(table) == std::vector<std::string>{"ti lr=1 @ step 100", "ti lr=1 @ step 200", "ti lr=2 @ step 100",
                                                  "class word (sd)", "image only (references)",
                                                  "image only (references, all pairs)"});
  CHECK(*cell(table, "ti lr=1 @ step 200", "ti_code.clip_i").mean == Approx(0.65));
  CHECK(*cell(table, "image only (references)", "ti_code.clip_i").mean ==
        Approx(0.75));  // of the first run that has it
  CHECK(*cell(table, "image only (references, all pairs)", "ti_code.reconstruction").mean == Approx(0.85));
  CHECK_FALSE(cell(table, "image only (references)", "ti_code.clip_t").mean);
}

TEST_CASE("axes may be asked for and averaged over", "[reports][table]") {
  StudyInStore study;
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti lr=1", Json(), {{"lr", 1}})), 0.0);
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti lr=2", Json(), {{"lr", 2}})), 0.2);
  const auto rows = study.table({.rows = {"lr"}, .columns = {"ti_code.clip_i"}});
  CHECK(labels(rows)[1] == "lr=2, ti");
  const auto over = study.table({.columns = {"ti_code.clip_i"}, .over = {"concept", "seed", "lr"}});
  CHECK(labels(over)[0] == "ti");
  CHECK(*over.rows[0].cells[0].mean == Approx(0.65));
  CHECK_THROWS_WITH(study.table({.rows = {"lrr"}}), Contains("which no run has"));
  CHECK_THROWS_WITH(study.table({.rows = {"lr"}, .over = {"lr"}}), Contains("also averaged over"));
  CHECK_THROWS_WITH(study.table({.columns = {"ti_code.clip_j"}}), Contains("clip_i"));
  CHECK_THROWS_WITH(study.table({.columns = {"nothing.clip_i"}}), Contains("ti_code.clip_i"));
}

TEST_CASE("what is missing is counted, and a failure is explained", "[reports][table]") {
  StudyInStore study;
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti")), 0.0);
  const auto failing = study.run("ti", "dog", 0, "ti");
  const auto training = study.job(failing, {{"kind", "train"}});
  static_cast<void>(study.score_job(failing));
  static_cast<void>(study.score_job(study.run("dco", "cat", 0, "dco")));
  study.fail(training, "method", "the loss|diverged");
  const auto table = study.table({.columns = {"ti_code.clip_i"}});
  const auto text = to_markdown(table);
  CHECK_THAT(text, Contains("| ti | 0.5500 (1 of 2)† |"));
  CHECK_THAT(text, Contains("| dco | – (0 of 1) |"));
  CHECK_THAT(text, Contains("† 1 job failed (train, method: the loss\\|diverged)."));
  CHECK_THAT(to_tex(table), Contains("0.5500 (1 of 2)\\textsuperscript{\\dag{}}") && Contains("-- (0 of 1)"));
  CHECK_THAT(to_html(table), Contains("(1 of 2)<sup>†</sup>") && Contains("(0 of 1)"));
  CHECK_THAT(to_csv(table), Contains(",1,2,1,2,†"));
  const auto rows = to_json(table)["rows"];
  CHECK(rows[0]["cells"]["ti_code.clip_i"]["failed"] == true);
  CHECK(rows[1]["cells"]["ti_code.clip_i"]["concepts"] == 0);
}

TEST_CASE("seeds that are missing show though every concept is there", "[reports][table]") {
  StudyInStore study;
  study.publish_scores(study.score_job(study.run("ti", "cat", 0, "ti")), 0.0);
  static_cast<void>(study.score_job(study.run("ti", "cat", 1, "ti")));
  CHECK_THAT(to_markdown(study.table()), Contains("0.5500 (1 of 1, 1 of 2 runs)"));
}

TEST_CASE("divergent artifacts and pictures without a score are marked", "[reports][table]") {
  StudyInStore study;
  const auto run = study.run("ti", "cat", 0, "ti");
  const auto training = study.job(run, {{"kind", "train"}});
  study.publish(training, "one");
  study.publish(training, "another");
  auto scores = StudyInStore::scores(0.0);
  scores["images"][1]["pair_scores"]["clip"] = nullptr;
  scores["images"][1]["status"] = "decode_error";
  study.publish(study.score_job(run), scores.dump());
  const auto table = study.table({.columns = {"ti_code.clip_i", "ti_code.clip_t"}});
  const auto& image = cell(table, "ti", "ti_code.clip_i");
  CHECK(image.divergent);
  CHECK(image.dropped == 1);
  CHECK(*image.mean == Approx(0.6));  // (0.8 + 0.4) / 2
  CHECK_THAT(to_markdown(table),
             Contains("0.6000‡§") && Contains("‡ A job gave other bytes") && Contains("§ Pictures"));
  CHECK_THAT(to_tex(table), Contains("0.6000\\textsuperscript{\\ddag{}\\S{}}"));
  CHECK_THAT(to_html(table), Contains("0.6000<sup>‡§</sup>"));
  CHECK_THAT(to_csv(table), Contains(",‡§"));
  CHECK(to_json(table)["rows"][0]["cells"]["ti_code.clip_i"]["divergent"] == true);
  CHECK(cell(table, "ti", "ti_code.clip_t").dropped == 0);
}

TEST_CASE("columns of the training add the seconds of its stages", "[reports][table]") {
  StudyInStore study;
  const auto run = study.run("textreg", "cat", 0, "textreg");
  const auto first = study.job(run, {{"kind", "train"}, {"stage", "ti"}});
  const auto second = study.job(run, {{"kind", "train"}, {"stage", "ut"}, {"inputs", {{"ti", first}}}});
  study.publish(first, "one", {{"seconds", 10.5}, {"trained_parameters", 768}, {"bytes", 4000}, {"final_loss", 0.5}});
  study.publish(second, "two", {{"seconds", 20.0}, {"trained_parameters", 900}, {"bytes", 5000}, {"final_loss", 0.25}});
  static_cast<void>(study.run("anchor:prompt_only", "cat", Json(), "prompt only (sd)"));
  const auto table = study.table({.columns = {"seconds", "parameters", "bytes", "final_loss"}});
  CHECK(*table.rows[0].cells[0].mean == Approx(30.5));
  CHECK(*table.rows[0].cells[1].mean == 900.0);
  CHECK_THAT(to_markdown(table), Contains("| textreg | 30.5 s | 900 | 5.00 KB | 0.2500 |") &&
                                     Contains("| prompt only (sd) | – | – | – | – |"));
}

TEST_CASE("a comparison pairs the concepts that both rows have", "[reports][table]") {
  StudyInStore study;
  const std::vector<std::pair<const char*, double>> dco{{"cat", 0.1}, {"dog", 0.2}, {"emu", 0.3}};
  for (const auto& [subject, shift] : dco) {
    study.publish_scores(study.score_job(study.run("ti", subject, 0, "ti")), 0.0);
    study.publish_scores(study.score_job(study.run("dco", subject, 0, "dco")), shift);
  }
  const auto alone = study.run("dco", "fox", 0, "dco");
  study.publish_scores(study.score_job(alone), 5.0);
  const auto table = study.table({.columns = {"ti_code.clip_i", "ti_code.clip_t"}, .compare_to = "ti"});
  const auto& found = cell(table, "dco", "ti_code.clip_i").comparison;
  REQUIRE(found);
  CHECK(found->difference == Approx(0.2));
  CHECK(found->concepts == 3);
  CHECK(found->p == 0.25);      // 2 of 8 patterns
  CHECK(found->p_holm == 0.5);  // two comparisons
  CHECK_FALSE(cell(table, "ti", "ti_code.clip_i").comparison);
  CHECK_THAT(to_markdown(table), Contains("Δ ti_code.clip_i") && Contains("+0.2000 ["));
  CHECK_THROWS_WITH(study.table({.compare_to = "textreg"}), Contains("no row"));
}

TEST_CASE("a method with several checkpoints is compared checkpoint by checkpoint", "[reports][table]") {
  StudyInStore study;
  for (const auto* subject : {"cat", "dog", "emu"}) {
    for (const auto& [step, base, shift] : {std::tuple(100, 0.0, 0.1), std::tuple(200, 0.1, 0.5)}) {
      study.publish_scores(study.score_job(study.run("ti", subject, 0, "ti", step)), base);
      study.publish_scores(study.score_job(study.run("dco", subject, 0, "dco", step)), shift);
    }
    study.publish_scores(study.score_job(study.run("late", subject, 0, "late", 300)), 0.0);
  }
  const auto table = study.table({.columns = {"ti_code.clip_i"}, .compare_to = "ti"});
  const auto difference = [&](const std::string& row) { return cell(table, row, "ti_code.clip_i").comparison; };
  REQUIRE(difference("dco @ step 100"));
  CHECK(difference("dco @ step 100")->difference == Approx(0.1));
  REQUIRE(difference("dco @ step 200"));
  CHECK(difference("dco @ step 200")->difference == Approx(0.4));
  for (const auto* row : {"ti @ step 100", "ti @ step 200", "late @ step 300"}) CHECK_FALSE(difference(row));
  CHECK(table.compare_to == "ti");
  CHECK(to_json(table)["compare_axes"] == Json::array({"checkpoint"}));
  CHECK_THAT(to_markdown(table), Contains("from ti of the same checkpoint (–: there is none), with"));
  const auto one = study.table({.columns = {"ti_code.clip_i"}, .compare_to = "ti @ step 100"});
  CHECK(cell(one, "late @ step 300", "ti_code.clip_i").comparison->difference == Approx(0.0));
  CHECK(cell(one, "ti @ step 200", "ti_code.clip_i").comparison->difference == Approx(0.1));
}

TEST_CASE("rows that no row agrees with compare nothing, and that is said", "[reports][table]") {
  StudyInStore study;
  for (const int step : {100, 200}) static_cast<void>(study.run("ti", "cat", 0, "ti", step));
  static_cast<void>(study.run("dco", "cat", 0, "dco", 300));
  CHECK_THROWS_WITH(study.table({.compare_to = "ti"}), Contains("2 rows of \"ti\" that differ in checkpoint") &&
                                                           Contains("name one row, e.g. \"ti @ step 100\""));
}

TEST_CASE("the caption tells protocol, encoder, sampler, counts, seeds and changes", "[reports][table]") {
  StudyInStore study;
  const auto run = study.run("ti", "cat", 7, "ti");
  study.publish(
      study.job(run,
                {{"kind", "sample"},
                 {"sampler", {{"scheduler", "ddim"}, {"steps", 50}, {"guidance", 5.0}, {"settings", {{"eta", 0}}}}}}),
      "pictures");
  study.publish_scores(study.score_job(run), 0.0);
  const auto text = to_markdown(study.table());
  CHECK_THAT(
      text,
      Contains("Study toy (manifest ") && Contains("1 concept; training seed 7.") &&
          Contains("ti_code: Textual Inversion (ti_code); encoder clip eeeeeeeeeeee; 2 images per prompt; changed: "
                   "images_per_prompt=2.") &&
          Contains("Sampler: ddim, 50 steps, guidance 5.0, eta 0."));
}

TEST_CASE("tables quote what their format would read as its own", "[reports][table]") {
  StudyInStore study;
  study.publish_scores(study.score_job(study.run("a|b\\c, \"d\"", "cat", 0, "a|b\\c, \"d\"")), 0.1);
  const auto table = study.table({.columns = {"ti_code.clip_i"}});
  CHECK_THAT(to_markdown(table), Contains("| a\\|b\\\\c, \"d\" | 0.6500 |"));
  const auto csv = to_csv(table);
  CHECK_THAT(csv, Catch::StartsWith("row,kind,ti_code.clip_i,ti_code.clip_i.se,ti_code.clip_i.n,ti_code.clip_i.of,"
                                    "ti_code.clip_i.runs,ti_code.clip_i.runs_of,ti_code.clip_i.marks,"
                                    "ti_code.clip_i.var_concepts,ti_code.clip_i.var_seeds,ti_code.clip_i.var_"
                                    "pictures\r\n"));
  CHECK_THAT(csv, Contains("\"a|b\\c, \"\"d\"\"\",method,0.6"));
  CHECK_THAT(csv, Contains(",,1,1,1,1,,,,\r\n"));
  const auto json = to_json(table);
  CHECK(json["rows"][0]["cells"]["ti_code.clip_i"]["mean"].get<double>() == *table.rows[0].cells[0].mean);
  CHECK(json["rows"][0]["cells"]["ti_code.clip_i"]["se"].is_null());
  CHECK(json.dump() == to_json(study.table({.columns = {"ti_code.clip_i"}})).dump());
}

TEST_CASE("a difference whose interval lies within its margin is equivalent, in every form", "[reports][table]") {
  StudyInStore study;
  for (const auto& [subject, shift] : {std::pair("cat", 0.004), std::pair("dog", 0.006), std::pair("emu", 0.005)}) {
    study.publish_scores(study.score_job(study.run("ti", subject, 0, "ti")), 0.0);
    study.publish_scores(study.score_job(study.run("dco", subject, 0, "dco")), shift);
  }
  TableRequest request{.columns = {"ti_code.clip_i", "ti_code.clip_t"}, .compare_to = "ti"};
  request.margins = {{"ti_code.clip_i", 0.0055}, {"clip_t", 0.02}};
  const auto table = study.table(request);
  CHECK_FALSE(*cell(table, "dco", "ti_code.clip_i").equivalent);  // the interval reaches 0.006
  CHECK(*cell(table, "dco", "ti_code.clip_t").equivalent);
  CHECK_FALSE(cell(table, "ti", "ti_code.clip_t").equivalent);
  CHECK_THAT(to_markdown(table),
             Contains("p = 0.5000, equivalent |") && Contains("within ti_code.clip_i ±0.0055, ti_code.clip_t ±0.02."));
  CHECK_THAT(to_tex(table), Contains("\\textsuperscript{$\\approx$}") && Contains("$\\approx$: equivalent to ti"));
  CHECK_THAT(to_html(table), Contains("<sup>≈</sup>"));
  CHECK_THAT(to_csv(table), Contains(",no,") && Contains(",yes\r\n"));
  CHECK(to_json(table)["margins"]["ti_code.clip_t"] == 0.02);
  request.margins = {{"dino_i", 0.03}};
  CHECK_THROWS_WITH(study.table(request), Contains("\"dino_i\", which is no column"));
}

TEST_CASE("the costs of a training are columns that can be added", "[reports][table]") {
  StudyInStore study;
  const auto run = study.run("ti", "cat", 0, "ti");
  study.publish(study.job(run, {{"kind", "train"}}), "one",
                {{"seconds", 90.0}, {"peak_memory", 3000}, {"trained_parameters", 768}, {"bytes", 4000}});
  study.publish_scores(study.score_job(run), 0.0);
  const auto table = study.table({.columns = {"ti_code.clip_i", "bytes"}, .costs = true});
  CHECK(table.columns == std::vector<std::string>{"ti_code.clip_i", "bytes", "minutes", "peak_memory", "parameters"});
  CHECK(*cell(table, "ti", "minutes").mean == Approx(1.5));
  CHECK(*cell(table, "ti", "peak_memory").mean == 3000.0);
}

namespace {

/// A picture set and its scoring, published in that order; `before`: an archive that was there when they were scored.
reports::Table scored_pictures(StudyInStore& study, const std::string& before) {
  const auto run = study.run("ti", "cat", 0, "ti");
  const auto pictures = study.sample_job(run, {{"e/0", "{}"}}).front();
  study.publish(pictures, "the pictures of today");
  const Json description{
      {"kind", "score"}, {"protocol", {{"id", "ti_code"}}}, {"sets", {{{"prompt", "e/0"}, {"images", pictures}}}}};
  const auto score = study.job(run, description, {{"evaluations", {"ti_code"}}});
  study.publish_scores(score, 0.0);
  Spool spool(study.store());
  const auto tell = [&](const std::string& key, const std::string& object) {
    spool.write({{"type", "published"}, {"key", key}, {"object", object}, {"kind", "x"}});
  };
  if (!before.empty()) tell(pictures, before);
  tell(score, study.store().find(score)->object);
  tell(pictures, study.store().find(pictures)->object);
  return study.table({.columns = {"ti_code.clip_i"}});
}

}  // namespace

TEST_CASE("scores of pictures that were made anew since are stale, in every form", "[reports][table]") {
  StudyInStore fresh, study;
  CHECK_FALSE(cell(scored_pictures(fresh, ""), "ti", "ti_code.clip_i").stale);
  const auto table = scored_pictures(study, std::string(64, 'a'));
  CHECK(cell(table, "ti", "ti_code.clip_i").stale);
  CHECK_THAT(to_markdown(table), Contains("0.5500°") && Contains("° Stale: pictures were made anew"));
  CHECK_THAT(to_tex(table), Contains("\\textsuperscript{$^\\circ$}"));
  CHECK_THAT(to_html(table), Contains("<sup>°</sup>"));
  CHECK_THAT(to_csv(table), Contains("°"));
  CHECK(to_json(table)["rows"][0]["cells"]["ti_code.clip_i"]["stale"] == true);
}

TEST_CASE("the best is bold and the second italic in Markdown, where names are text", "[reports][table]") {
  StudyInStore study;
  study.publish_scores(study.score_job(study.run("*ti* <b>[x](y)", "cat", 0, "*ti* <b>[x](y)")), 0.0);
  study.publish_scores(study.score_job(study.run("dco", "cat", 0, "dco")), 0.1);
  const auto text = to_markdown(study.table({.columns = {"ti_code.clip_i"}}));
  CHECK_THAT(text, Contains("| \\*ti\\* \\<b>[x]\\(y) | *0.5500* |") && Contains("| dco | **0.6500** |") &&
                       Contains("italic: second best"));
}
