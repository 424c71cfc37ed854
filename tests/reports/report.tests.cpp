// The page: whole, the same on every call, and nothing that a name says is markup in it.
#include "reports/report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "reports/gallery.h"
#include "reports/loss_curves.h"
#include "reports/svg.h"
#include "reports/svg_pdf.h"
#include "reports/tradeoff.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

constexpr const char* kHostile = "<script>alert(1)</script>\"'&<img src=//x onerror=y>";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

/// Two methods and an anchor for two concepts; one training failed; a fixed loss, losses, pictures, a comparison.
struct WholeStudy : StudyInStore {
  explicit WholeStudy(const std::string& name = "ti") : name_(name) {
    manifest()["yaml"] = "study: toy\n# " + name + "\n";
    manifest()["tables"] = {{"main",
                             {{"rows", {"method"}},
                              {"columns", {"ti_code.clip_i", "ti_code.clip_t"}},
                              {"over", {"concept", "seed"}},
                              {"compare_to", "base"}}}};
    for (const auto* subject : {"cat", "dog", "emu"}) {
      add("base", subject, 0.0);
      add(name, subject, 0.1);
    }
    const auto anchor = run("anchor:class_word", "cat", Json(), "class word (sd)");
    publish_scores(score_job(anchor), -0.1);
    const auto failing = run("late", "cat", 0, "late");
    const auto keys = sample_job(failing, {{"e/0", "{} on a beach"}});
    fail(keys[0], "method", name);
    static_cast<void>(score_job(failing));
  }

  void add(const std::string& method, const std::string& subject, double shift) {
    const auto id = run(method, subject, 0, method);
    const auto training =
        job(id, {{"kind", "train"}, {"stage", "fit"}, {"method", method}, {"step", 4}}, {{"step", 4}});
    const auto losses = store().put(Json{{"step", {1, 2, 3, 4}}, {"loss", {0.4, Json(), 0.2, 0.1}}}.dump());
    publish(training, "artifact " + id,
            {{"losses", losses}, {"eval_loss_before", 0.5}, {"eval_loss_after", 0.25}, {"seconds", 2.0}});
    const auto keys = sample_job(id, {{"e/0", "{} " + name_}}, 2);
    publish_pictures(keys[0], {{200, 30, 30}, {30, 200, 30}});
    publish_scores(score_job(id), shift);
  }

  Report report(const ReportOptions& options = {}) const {
    const auto digest = plan();
    auto opened = index();
    return make_report(opened, store(), digest, options);
  }

 private:
  std::string name_;
};

}  // namespace

TEST_CASE("a report has its parts, and what failed is shown", "[reports][page]") {
  const WholeStudy study;
  const auto report = study.report({.data_licences = "CC0 of the lists"});
  for (const auto* id : {"table", "differences", "tradeoff", "losses", "pictures", "study", "provenance", "licences"}) {
    CHECK_THAT(report.html,
               Contains(fmt::format("<section id=\"{}\">", id)) && Contains(fmt::format("href=\"#{}\"", id)));
  }
  CHECK_THAT(report.html, Contains("<strong>0.6500</strong>") && Contains("<u>0.5500</u>"));
  CHECK_THAT(report.html, Contains("+0.1000 [+0.1000, +0.1000]") && Contains("3 concepts, uncorrected p = 0.2500"));
  CHECK_THAT(report.html, Contains("<td>0.5000</td><td>0.2500</td><td>3 of 3</td>"));
  CHECK_THAT(report.html, Contains("<span class=\"hole failed\">failed</span>") && Contains("CC0 of the lists"));
  CHECK_THAT(report.html, Contains("† 1 job failed"));
  CHECK(count(report.html, "src=\"data:image/jpeg;base64,") == 12);            // two pictures of six runs
  CHECK_THAT(report.html, Contains("ti_code: clip_i 0.6000, clip_t 0.3000"));  // 0.5 + 0.1, 0.2 + 0.1
  CHECK(report.figures.size() == 1);
  CHECK_THAT(report.html, Contains(report.figures.at("ti_code")));
}

TEST_CASE("a report needs nothing but itself, and lets nothing else in", "[reports][page]") {
  const auto html = WholeStudy().report().html;
  CHECK(count(html, "<script") == 1);
  CHECK_THAT(html, Contains("default-src 'none'; img-src data:;") && Contains("script-src 'sha256-"));
  CHECK(count(html, "http://") == count(html, "http://www.w3.org/2000/svg"));  // a name, not an address
  CHECK(count(html, "https://") == 0);
  CHECK(count(html, "<link") == count(html, "href=\"data:,\""));
}

TEST_CASE("the same store gives the same report, also after reindexing", "[reports][page]") {
  const WholeStudy study;
  const auto first = study.report();
  CHECK(study.report().html == first.html);
  study.index().rebuild();
  const auto again = study.report();
  CHECK(again.html == first.html);
  CHECK(again.figures == first.figures);
}

TEST_CASE("hostile names are text in a report", "[reports][page]") {
  const WholeStudy study(kHostile);
  const auto report = study.report({.study = kHostile, .data_licences = kHostile});
  CHECK(count(report.html, "<script") == 1);
  CHECK(count(report.html, "<img src") == 0);
  CHECK_THAT(report.html,
             Contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&lt;img src=//x onerror=y&gt;"));
  CHECK(count(report.figures.at("ti_code"), "<script") == 0);
}

TEST_CASE("a study without results still has a report", "[reports][page]") {
  StudyInStore study;
  static_cast<void>(study.run("ti", "cat", 0, "ti"));
  const auto digest = study.plan();
  auto index = study.index();
  const auto report = make_report(index, study.store(), digest, {});
  CHECK_THAT(report.html, Contains("– (0 of 1)") && Contains("No pictures are planned."));
  CHECK_THROWS_WITH(make_report(index, study.store(), "none", {}), Contains("not in this store"));
}

TEST_CASE("fewer pictures are shown where there would be too many", "[reports][page]") {
  const WholeStudy study;
  const auto html = study.report({.most_pictures = 6}).html;
  CHECK(count(html, "src=\"data:image/jpeg;base64,") == 6);
  CHECK_THAT(html, Contains("up to 1 picture of each prompt"));
}

TEST_CASE("loss curves are means of bins, and leave out what is no number", "[reports][page]") {
  const WholeStudy study;
  const auto digest = study.plan();
  auto index = study.index();
  const auto charts = loss_charts(index, study.store(), digest);
  REQUIRE(charts.size() == 2);
  CHECK(charts[0].title == "base, stage fit");
  REQUIRE(charts[0].curves.size() == 3);
  CHECK(charts[0].curves[0].name == "cat, seed 0");
  CHECK(charts[0].curves[0].points == std::vector<std::pair<double, double>>{{1, 0.4}, {3, 0.2}, {4, 0.1}});
}

TEST_CASE("a trade-off takes the derived scores, else the first of each kind", "[reports][page]") {
  const auto found = tradeoffs_of({"a.clip_i", "a.clip_t", "a.reconstruction", "a.editability", "b.dino_i", "b.clip_i",
                                   "b.clip_t", "c.clip_i", "seconds"});
  REQUIRE(found.size() == 2);
  CHECK(found[0].identity == "a.reconstruction");
  CHECK(found[0].text == "a.editability");
  CHECK(found[1].identity == "b.dino_i");
  CHECK(found[1].text == "b.clip_t");
}

TEST_CASE("a figure as PDF has its letters and lines, and a table of where its objects are", "[reports][page]") {
  const WholeStudy study("a (b) \\ <c> →");
  const auto svg = study.report().figures.at("ti_code");
  const auto pdf = svg_to_pdf(svg);
  CHECK(pdf == svg_to_pdf(svg));
  CHECK_THAT(pdf, Catch::StartsWith("%PDF-1.4\n") && Catch::EndsWith("%%EOF\n") && Contains("/MediaBox [0 0 460.00 "));
  CHECK_THAT(pdf, Contains("(a \\(b\\) \\\\ <c> ) Tj") && Contains("/F2 12.0 Tf (\\256) Tj"));
  CHECK_THAT(pdf, Contains("0 -1 -1 0 12.00 "));  // the upright label
  const auto start = std::stoul(pdf.substr(pdf.rfind("startxref") + 10));
  CHECK(pdf.compare(start, 9, "xref\n0 7\n") == 0);
  for (std::size_t i = 1; i < 7; ++i) {
    const auto place = std::stoul(pdf.substr(start + 9 + 20 * i, 10));
    CHECK(pdf.compare(place, 7, fmt::format("{} 0 obj", i)) == 0);
  }
  CHECK_THROWS_WITH(svg_to_pdf("<svg></svg>"), Contains("no view box"));
  CHECK_THROWS_WITH(svg_to_pdf("<svg width=\"9\" height=\"9\"><path d=\"M0 0C1 2\"/></svg>"), Contains("C1 2"));
}

TEST_CASE("axes have round ticks inside them", "[reports][page]") {
  const auto axis = axis_over({0.2, 0.8}, 0.0, 100.0);
  CHECK(axis.low == Approx(0.17));
  CHECK(axis.place(0.5) == Approx(50.0));
  const auto ticks = ticks_of(axis, 4);
  REQUIRE(ticks.values.size() == 4);
  CHECK(ticks.values[0] == Approx(0.2));
  CHECK(tick_text(ticks.values[1], ticks.step) == "0.4");
  CHECK(tick_text(1500.0, 500.0) == "1500");
  CHECK(tick_text(-0.0, 0.1) == "0.0");
  CHECK(axis_over({3.0}, 0.0, 1.0).low == Approx(2.95));
  CHECK(shortened("añb", 3) == "añb");
  CHECK(shortened("añbc", 3) == "añ…");
}

TEST_CASE("a JPEG decodes to nearly what it was made from", "[reports][page]") {
  const auto image = StudyInStore::flat({200, 30, 90}, {17, 9});
  const auto bytes = encode_jpeg(image, 90);
  CHECK(bytes == encode_jpeg(image, 90));
  const auto decoded = decode(bytes, "test").image;
  REQUIRE(decoded.size() == image.size());
  for (std::size_t i = 0; i < image.pixels.size(); ++i) CHECK(std::abs(decoded.pixels[i] - image.pixels[i]) <= 4);
  CHECK_THROWS_AS(encode_jpeg(Image{}, 90), Error);
}
