#include "framework/plan/concept_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/decode.h"
#include "framework/image/front_ends.h"
#include "framework/image/resize.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr int kNearBits = 4;

/// Difference hash: whether each of 8 × 8 grey cells is brighter than its right neighbour.
std::uint64_t difference_hash(const Image& image) {
  const auto small = resize(image, {9, 8}, ResizeMethod::pil_bilinear);
  const auto grey = [&](int x, int y) {
    const auto* pixel = small.row(y) + 3 * x;
    return 299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2];
  };
  std::uint64_t hash = 0;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) hash = (hash << 1) | (grey(x, y) > grey(x + 1, y) ? 1u : 0u);
  }
  return hash;
}

void find_near_duplicates(const std::vector<std::pair<std::string, std::uint64_t>>& hashes, ConceptCheck& check) {
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    for (std::size_t j = i + 1; j < hashes.size(); ++j) {
      if (std::popcount(hashes[i].second ^ hashes[j].second) > kNearBits) continue;
      check.near_duplicates.emplace_back(hashes[i].first, hashes[j].first);
    }
  }
}

void look_at_files(const fs::path& folder, ConceptCheck& check) {
  const auto listing = list_photos(folder);
  check.odd = listing.odd;
  check.odd.insert(check.odd.end(), listing.hidden.begin(), listing.hidden.end());
  for (const auto& name : listing.broken) check.faults.push_back(name + ": no JPEG, PNG or WebP inside");
  std::vector<std::pair<std::string, std::uint64_t>> hashes;
  for (const auto& photo : listing.photos) {
    try {
      hashes.emplace_back(photo.filename().string(), difference_hash(decode_file(photo).image));
    } catch (const Error& error) {
      check.faults.emplace_back(error.what());
    }
  }
  check.photos = hashes.size();
  find_near_duplicates(hashes, check);
}

/// A mask is of its photo's upright size, and something in it is foreground at the usual threshold.
void look_at_mask(const ConceptPhoto& photo, ConceptCheck& check) {
  if (photo.mask.empty()) return;
  ++check.masks;
  try {
    const Mask mask = load_mask(photo.mask);
    const Size wanted = decode_file(photo.path).image.size();
    if (mask.size() != wanted) {
      check.faults.push_back(fmt::format("{}: its mask has {} x {} pixels; expected {} x {}", photo.name, mask.width,
                                         mask.height, wanted.width, wanted.height));
    } else if (foreground_share(mask, FrontEndOptions().threshold) <= 0) {
      check.faults.push_back(photo.name + ": its mask has no foreground; expected white where the concept is");
    }
  } catch (const Error& error) {
    check.faults.emplace_back(error.what());
  }
}

/// What reading says about a file is listed already where there are faults; else it is about the concept as a whole.
void try_reading(const fs::path& folder, const ConceptFacts& known, PhotoReader& reader, ConceptCheck& check) {
  try {
    const auto subject = read_concept(folder, reader, known);
    check.photos = subject.used_photos().size();
    check.class_word = subject.facts.class_word;
    check.classes = subject.facts.classes;
    if (check.classes.empty()) static_cast<void>(subject.class_for(""));
    for (const ConceptPhoto& photo : subject.used_photos()) look_at_mask(photo, check);
    if (!subject.class_images.empty()) check.class_images = read_class_images(subject.class_images, reader).size();
  } catch (const Error& error) {
    if (check.faults.empty()) check.faults.emplace_back(error.what());
  }
}

ConceptCheck check_one(const fs::path& root, const SetEntry& entry, PhotoReader& reader) {
  ConceptCheck check;
  check.name = entry.name;
  check.expected = entry.photos;
  const auto folder = root / entry.name;
  check.found = fs::is_directory(folder);
  if (!check.found) return check;
  look_at_files(folder, check);
  try_reading(folder, entry.facts, reader, check);
  return check;
}

std::vector<SetEntry> folders_below(const fs::path& root) {
  std::vector<SetEntry> entries;
  for (const auto& entry : fs::directory_iterator(root)) {
    const auto name = entry.path().filename().string();
    if (entry.is_directory() && !name.starts_with('.')) entries.push_back({.name = name, .facts = {}, .photos = {}});
  }
  std::ranges::sort(entries, {}, &SetEntry::name);
  return entries;
}

std::string line_of(const ConceptCheck& check) {
  if (!check.found) return fmt::format("{:<20} missing\n", check.name);
  auto line = fmt::format("{:<20} {} photos", check.name, check.photos);
  if (check.expected && *check.expected != check.photos) line += fmt::format(" (the set has {})", *check.expected);
  if (!check.class_word.empty()) line += fmt::format(", class \"{}\"", check.class_word);
  for (const auto& [method, word] : check.classes) line += fmt::format(", {} \"{}\"", method, word);
  if (check.masks > 0) line += fmt::format(", {} masks", check.masks);
  if (check.class_images > 0) line += fmt::format(", {} images of the class", check.class_images);
  line += "\n";
  for (const auto& fault : check.faults) line += fmt::format("  fault: {}\n", fault);
  for (const auto& [a, b] : check.near_duplicates) line += fmt::format("  look alike: {} and {}\n", a, b);
  if (!check.odd.empty()) line += fmt::format("  ignored: {}\n", join(check.odd, ", ", 8));
  return line;
}

}  // namespace

std::size_t ConceptReport::missing() const {
  return static_cast<std::size_t>(std::ranges::count(concepts, false, &ConceptCheck::found));
}

bool ConceptReport::good() const {
  return std::ranges::all_of(concepts, [](const auto& check) { return check.found && check.faults.empty(); });
}

ConceptReport check_concepts(const fs::path& root, const std::string& set, PhotoReader& reader, const fs::path& data) {
  if (!fs::is_directory(root)) {
    throw Error({.where = root.string(), .found = "no such folder", .expected = "a folder with a folder per concept"},
                ErrorKind::usage);
  }
  ConceptReport report{.root = root, .set = set, .concepts = {}};
  const auto entries = set.empty() ? folders_below(root) : read_concept_set(set, data);
  for (const auto& entry : entries) report.concepts.push_back(check_one(root, entry, reader));
  return report;
}

Json to_json(const ConceptReport& report) {
  auto concepts = Json::array();
  for (const auto& check : report.concepts) {
    auto pairs = Json::array();
    for (const auto& [a, b] : check.near_duplicates) pairs.push_back(Json::array({a, b}));
    concepts.push_back({{"name", check.name},
                        {"found", check.found},
                        {"photos", check.photos},
                        {"expected", check.expected ? Json(*check.expected) : Json()},
                        {"class", check.class_word},
                        {"classes", check.classes},
                        {"masks", check.masks},
                        {"class_images", check.class_images},
                        {"faults", check.faults},
                        {"ignored", check.odd},
                        {"near_duplicates", pairs}});
  }
  return {{"schema", "atelier.concepts/1"}, {"root", report.root.string()}, {"set", report.set},
          {"good", report.good()},          {"missing", report.missing()},  {"concepts", concepts}};
}

std::string to_text(const ConceptReport& report) {
  std::string text;
  for (const auto& check : report.concepts) text += line_of(check);
  return text + fmt::format("{} concepts, {} missing: {}\n", report.concepts.size(), report.missing(),
                            report.good() ? "ready for a study" : "a study over all of them would be refused");
}

}  // namespace atelier
