#include "framework/plan/concept.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/config/yaml.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/dco_config.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// What concept.yaml says about single photos.
struct PhotoNote {
  std::string name, caption, base_caption, mask;
};
struct ConceptFile {
  ConceptFacts facts;
  std::vector<PhotoNote> photos;
  std::vector<std::string> held_out;
  std::string entry, class_images;
};

std::string text_of(const YamlMap& map, const char* key, Faults& faults) {
  const auto* node = map.get(key);
  return node == nullptr ? "" : yaml_text(*node, map.path(key), faults).value_or("");
}

void read_classes(const YamlNode* node, ConceptFacts& facts, Faults& faults) {
  if (node == nullptr) return;
  for (const auto& entry : node->entries) {
    facts.classes[entry.key] = yaml_text(entry.value, "classes." + entry.key, faults).value_or("");
  }
  if (node->kind != YamlNode::Kind::map) faults.add(node->at, "classes: " + describe(*node), "method: class word");
}

void read_photo_notes(const YamlNode* node, ConceptFile& file, Faults& faults) {
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::map) faults.add(node->at, "photos: " + describe(*node), "file name: {caption, …}");
  for (const auto& entry : node->entries) {
    const YamlMap map(entry.value, "photos." + entry.key, {"caption", "base_caption", "mask"}, faults);
    file.photos.push_back({entry.key, text_of(map, "caption", faults), text_of(map, "base_caption", faults),
                           text_of(map, "mask", faults)});
  }
}

void check_kind(const YamlMap& map, const ConceptFacts& facts, Faults& faults) {
  static const std::vector<std::string> kKinds{"object", "live", "style", "scene"};
  if (facts.kind.empty() || std::ranges::find(kKinds, facts.kind) != kKinds.end()) return;
  faults.add(map.get("kind")->at, fmt::format("kind: \"{}\"", facts.kind), "one of " + join(kKinds));
}

ConceptFile read_concept_file(const fs::path& path) {
  ConceptFile file;
  if (!fs::exists(path)) return file;
  Faults faults(path.string());
  const auto root = parse_yaml(read_text_file(path), faults);
  if (root.kind == YamlNode::Kind::map) {
    const YamlMap map(
        root, "",
        {"class", "classes", "initializer", "kind", "prompt_set", "class_images", "photos", "held_out", "entry"},
        faults);
    file.facts = {.class_word = text_of(map, "class", faults),
                  .classes = {},
                  .initializer = text_of(map, "initializer", faults),
                  .kind = text_of(map, "kind", faults),
                  .prompt_set = text_of(map, "prompt_set", faults)};
    check_kind(map, file.facts, faults);
    file.entry = text_of(map, "entry", faults);
    file.class_images = text_of(map, "class_images", faults);
    read_classes(map.get("classes"), file.facts, faults);
    read_photo_notes(map.get("photos"), file, faults);
    if (const auto* held = map.get("held_out")) file.held_out = yaml_texts(*held, "held_out", faults);
  } else if (root.kind != YamlNode::Kind::null) {
    faults.add(root.at, describe(root), "a mapping: class, photos, …");
  }
  faults.raise();
  return file;
}

/// `told` where it says something, else `known`.
ConceptFacts merged(const ConceptFacts& told, const ConceptFacts& known) {
  const auto pick = [](const std::string& a, const std::string& b) { return a.empty() ? b : a; };
  ConceptFacts facts{.class_word = pick(told.class_word, known.class_word),
                     .classes = told.classes,
                     .initializer = pick(told.initializer, known.initializer),
                     .kind = pick(told.kind, known.kind),
                     .prompt_set = pick(told.prompt_set, known.prompt_set)};
  // A class word in the folder is meant for every method that it does not name.
  if (told.class_word.empty()) facts.classes.insert(known.classes.begin(), known.classes.end());
  return facts;
}

ConceptPhoto& photo_named(ConceptFolder& folder, const std::string& name, const std::string& where) {
  const auto found = std::ranges::find(folder.photos, name, &ConceptPhoto::name);
  if (found != folder.photos.end()) return *found;
  std::vector<std::string> names;
  for (const auto& photo : folder.photos) names.push_back(photo.name);
  const auto near = nearest(name, names);
  throw Error({.where = where,
               .found = fmt::format("no photo \"{}\"", name),
               .expected = "one of " + join(names),
               .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
              ErrorKind::usage);
}

void apply_notes(ConceptFolder& folder, const ConceptFile& file, const std::string& where) {
  std::vector<fs::path> masks;
  for (const auto& note : file.photos) {
    if (!note.mask.empty()) masks.push_back(inside(folder.path, note.mask, where + ": photos." + note.name + ".mask"));
  }
  std::erase_if(folder.photos, [&](const auto& p) { return std::ranges::find(masks, p.path) != masks.end(); });
  for (const auto& note : file.photos) {
    auto& photo = photo_named(folder, note.name, where + ": photos");
    if (!note.caption.empty()) photo.caption = note.caption;
    if (!note.base_caption.empty()) photo.base_caption = note.base_caption;
    if (!note.mask.empty()) photo.mask = folder.path / note.mask;
  }
  for (const auto& name : file.held_out) photo_named(folder, name, where + ": held_out").held_out = true;
}

void take_files(ConceptFolder& folder, const ConceptFile& file) {
  const auto listing = list_photos(folder.path);
  if (!listing.broken.empty()) {
    throw Error({.where = (folder.path / listing.broken.front()).string(),
                 .found = "no JPEG, PNG or WebP inside",
                 .expected = "a picture, as its name says",
                 .advice = "remove the file or get it again"},
                ErrorKind::usage);
  }
  for (const auto& hidden : listing.hidden) folder.notes.push_back(fmt::format("{}: hidden, ignored", hidden));
  for (const auto& odd : listing.odd) folder.notes.push_back(fmt::format("{}: no picture, ignored", odd));
  const auto config = folder.path / "config.json";
  if (fs::exists(config)) {
    read_dco_config(config, file.entry, folder);
    return;
  }
  for (const auto& path : listing.photos) {
    const auto name = path.filename().string();
    folder.photos.push_back({.name = name,
                             .path = inside(folder.path, name, path.string()),
                             .sha256 = "",
                             .caption = "",
                             .base_caption = ""});
  }
}

}  // namespace

std::string ConceptFolder::class_for(const std::string& method) const {
  const auto own = facts.classes.find(method);
  const auto word = own == facts.classes.end() ? facts.class_word : own->second;
  if (!word.empty()) return word;
  throw Error({.where = path.string(),
               .found = "no class word",
               .expected = "what kind of thing the concept is: cat",
               .advice = "write class: into concept.yaml there"},
              ErrorKind::usage);
}

std::vector<ConceptPhoto> ConceptFolder::used_photos() const {
  std::vector<ConceptPhoto> used;
  std::ranges::copy_if(photos, std::back_inserter(used), [](const auto& photo) { return !photo.held_out; });
  if (!used.empty()) return used;
  throw Error({.where = path.string(),
               .found = photos.empty() ? "no photos" : "only photos that are held out",
               .expected = "at least one photo (JPEG, PNG or WebP)"},
              ErrorKind::usage);
}

ConceptFolder read_concept(const fs::path& folder, PhotoReader& reader, const ConceptFacts& known) {
  const auto clean = folder.has_filename() ? folder : folder.parent_path();
  ConceptFolder subject{.name = fs::weakly_canonical(clean).filename().string(),
                        .path = folder,
                        .facts = {},
                        .class_images = {},
                        .photos = {},
                        .notes = {}};
  if (!fs::is_directory(folder)) static_cast<void>(list_photos(folder));  // throws
  const auto path = folder / "concept.yaml";
  const auto file = read_concept_file(path);
  take_files(subject, file);
  subject.facts = merged(file.facts, merged(subject.facts, known));
  if (subject.facts.kind.empty()) subject.facts.kind = "object";
  apply_notes(subject, file, path.string());
  if (!file.class_images.empty())
    subject.class_images = folder_inside(folder, file.class_images, path.string() + ": class_images");
  for (auto& photo : subject.photos) photo.sha256 = reader.read(photo.path);
  return subject;
}

}  // namespace atelier
