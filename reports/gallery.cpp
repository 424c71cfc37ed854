#include "reports/gallery.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/image/encode.h"
#include "framework/image/resize.h"
#include "reports/cell_text.h"
#include "reports/escape.h"

namespace atelier::reports {
namespace {

constexpr int kQuality = 85;

Image thumbnail(const Image& image, int side) {
  const int longest = std::max(image.width, image.height);
  if (longest <= side) return image;
  const auto scaled = [&](int length) { return std::max(1, length * side / longest); };
  return resize(image, {scaled(image.width), scaled(image.height)}, ResizeMethod::pil_lanczos);
}

std::string image_tag(const Image& image, int side, const std::string& alt) {
  const auto small = thumbnail(image, side);
  const auto jpeg = encode_jpeg(small, kQuality);
  return fmt::format("<img alt=\"{}\" width=\"{}\" height=\"{}\" loading=\"lazy\" src=\"data:image/jpeg;base64,{}\">",
                     escape_html(alt), small.width, small.height,
                     base64({reinterpret_cast<const char*>(jpeg.data()), jpeg.size()}));
}

std::string picture_button(const std::string& image, const std::string& title) {
  return "<button type=\"button\" class=\"pic\" title=\"" + escape_html(title) + "\">" + image + "</button>";
}

std::string hole(const char* kind, const char* text) {
  return fmt::format("<span class=\"hole {}\">{}</span>", kind, text);
}

std::string seed_text(const GridRow& row) {
  std::string text = row.seed ? fmt::format("seed {}", *row.seed) : "";
  if (row.checkpoint) text += fmt::format("{}step {}", text.empty() ? "" : ", ", *row.checkpoint);
  return text;
}

class GalleryWriter {
 public:
  GalleryWriter(PictureReader& reader, const PictureScores& scores, const GalleryOptions& options)
      : reader_(reader), scores_(scores), options_(options) {}

  [[nodiscard]] std::string section(const ConceptGrid& grid) {
    std::string html = "<section class=\"concept\">\n<h3>" + escape_html(grid.subject);
    if (!grid.class_word.empty() && grid.class_word != grid.subject) {
      html += " <small>" + escape_html(grid.class_word) + "</small>";
    }
    html += "</h3>\n" + photos(grid);
    if (grid.prompts.empty()) return html + "<p>No pictures are planned.</p>\n</section>\n";
    if (grid.prompts.size() < grid.all_prompts) {
      html += fmt::format("<p class=\"note\">{} of {} prompts.</p>\n", grid.prompts.size(), grid.all_prompts);
    }
    html += "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Pictures of " +
            escape_html(grid.subject) + "\">\n<table class=\"grid\">\n<thead><tr><th scope=\"col\">run</th>";
    for (const auto& prompt : grid.prompts) html += "<th scope=\"col\">" + escape_html(prompt.text) + "</th>";
    html += "</tr></thead>\n<tbody>\n";
    for (const auto& row : grid.rows) html += row_html(grid, row);
    return html + "</tbody>\n</table>\n</div>\n</section>\n";
  }

 private:
  std::string photos(const ConceptGrid& grid) {
    std::string html = "<div class=\"photos\">";
    for (std::size_t i = 0; i < grid.photos.size(); ++i) {
      const auto name = std::filesystem::path(grid.photos[i].path).filename().string();
      const auto photo = reader_.photo(grid.photos[i]);
      const auto title = fmt::format("photo {} of {}: {}", i + 1, grid.subject, name);
      html += photo ? picture_button(image_tag(*photo, options_.side, title), title)
                    : hole("failed", "photo gone or changed");
    }
    return html + "</div>\n";
  }

  std::string row_html(const ConceptGrid& grid, const GridRow& row) {
    std::string html = fmt::format("<tr class=\"{}\"><th scope=\"row\">{}", row.kind, escape_html(row.label));
    if (const auto seed = seed_text(row); !seed.empty()) html += "<br><small>" + seed + "</small>";
    html += "<br><small>run " + escape_html(row.run) + "</small></th>";
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      html += "<td>" + cell_html(row, row.cells[i], grid.prompts[i]) + "</td>";
    }
    return html + "</tr>\n";
  }

  std::string cell_html(const GridRow& row, const GridCell& cell, const GridPrompt& prompt) {
    if (cell.key.empty()) return "";
    if (cell.failed) return hole("failed", "failed");
    if (cell.object.empty()) return hole("pending", "not made yet");
    std::string html;
    const auto count = std::min(options_.pictures, std::max<std::int64_t>(1, cell.expected));
    for (std::int64_t k = 0; k < count; ++k) {
      const auto picture = reader_.picture(cell, k);
      const auto what = fmt::format("{}, {}", row.label, cell.text);
      html += picture ? picture_button(image_tag(*picture, options_.side, what), title_of(row, cell, prompt, k))
                      : hole("failed", "unreadable");
    }
    return html;
  }

  [[nodiscard]] std::string title_of(const GridRow& row, const GridCell& cell, const GridPrompt& prompt,
                                     std::int64_t k) const {
    auto title = fmt::format("{}\n{}", cell.text, row.label);
    if (const auto seed = seed_text(row); !seed.empty()) title += ", " + seed;
    title += fmt::format("\nrun {}, {}, picture {}", row.run, prompt.id, k);
    const auto scored = scores_.text(row.run, prompt.id, k);
    return scored.empty() ? title : title + "\n" + scored;
  }

  PictureReader& reader_;  // borrowed, as all of these
  const PictureScores& scores_;
  const GalleryOptions& options_;
};

/// The name of an encoder's image score; "clip_full" is of whole pictures beside foregrounds.
std::string image_score(const std::string& encoder) {
  const std::string full = "_full";
  return encoder.ends_with(full) ? encoder.substr(0, encoder.size() - full.size()) + "_i_full" : encoder + "_i";
}

}  // namespace

PictureScores::PictureScores(Index& index, const StudyFacts& facts) {
  std::map<std::string, bool> read_keys;
  for (const auto& run : facts.runs) {
    for (const auto& [evaluation, scoring] : run.scores) {
      if (scoring.keys.size() != 1) continue;  // not told apart
      const auto& key = scoring.keys.front();
      keys_[run.id].emplace_back(evaluation, key);
      if (read_keys.emplace(key, true).second) read(index, key);
    }
  }
}

void PictureScores::read(Index& index, const std::string& key) {
  const auto add = [&](const Row& row, const std::string& name) {
    const auto* value = std::get_if<double>(&row[3]);
    if (value == nullptr) return;
    auto& text = scores_[{key, text_of(row[0]), integer_of(row[1])}];
    text += (text.empty() ? "" : ", ") + name + " " + short_number(*value);
  };
  for (const auto& row :
       index.query("SELECT prompt, k, encoder, avg(value) FROM pair_score WHERE key = ? GROUP BY 1, 2, 3 "
                   "ORDER BY 1, 2, 3",
                   {key})) {
    add(row, image_score(text_of(row[2])));
  }
  for (const auto& row :
       index.query("SELECT prompt, k, encoder, value FROM text_score WHERE key = ? ORDER BY 1, 2, 3", {key})) {
    add(row, text_of(row[2]) + "_t");
  }
}

std::string PictureScores::text(const std::string& run, const std::string& prompt, std::int64_t k) const {
  const auto found = keys_.find(run);
  if (found == keys_.end()) return "";
  std::string text;
  for (const auto& [evaluation, key] : found->second) {
    const auto scored = scores_.find({key, prompt, k});
    if (scored != scores_.end()) text += (text.empty() ? "" : "\n") + evaluation + ": " + scored->second;
  }
  return text;
}

std::int64_t picture_count(const std::vector<ConceptGrid>& grids, std::int64_t pictures) {
  std::int64_t count = 0;
  for (const auto& grid : grids) {
    for (const auto& row : grid.rows) {
      for (const auto& cell : row.cells) count += cell.object.empty() ? 0 : std::min(pictures, cell.expected);
    }
  }
  return count;
}

std::string gallery_html(const std::vector<ConceptGrid>& grids, PictureReader& reader, const PictureScores& scores,
                         const GalleryOptions& options) {
  GalleryWriter writer(reader, scores, options);
  std::string html;
  for (const auto& grid : grids) html += writer.section(grid);
  return html;
}

}  // namespace atelier::reports
