#include "experiments/pocket/world/captions.h"

#include <fmt/format.h>

#include <set>
#include <span>

#include "experiments/pocket/world/draw.h"

namespace atelier::pocket {
namespace {

using Phrases = std::span<const std::string_view>;

// The first half of each list are the common wordings, see pick().
constexpr std::array<std::string_view, 6> kBeach{"on the beach", "on the beach", "on the beach",
                                                 "at the beach", "on a beach",   "with a beach in the background"};
constexpr std::array<std::string_view, 6> kForest{"in the forest", "in the forest", "in a forest",
                                                  "in the jungle", "in the woods",  "with trees in the background"};
constexpr std::array<std::string_view, 6> kSnow{"in the snow",      "in the snow", "in the snow",
                                                "in a snowy place", "on snow",     "with a mountain in the background"};
constexpr std::array<std::string_view, 6> kCity{"in the city",
                                                "in the city",
                                                "in a city",
                                                "on a street",
                                                "on a cobblestone street",
                                                "with a city in the background"};
constexpr std::array<std::string_view, 6> kDesert{"in the desert",  "in the desert", "in a desert",
                                                  "on a dirt road", "on sand dunes", "with a cactus in the background"};
constexpr std::array<std::string_view, 6> kSpace{"in space",       "in space",    "in space",
                                                 "in outer space", "on the moon", "with a planet in the background"};
constexpr std::array<std::string_view, 6> kKitchen{"in the kitchen", "in the kitchen",    "in a kitchen",
                                                   "on a table",     "on a wooden floor", "on top of a kitchen table"};
constexpr std::array<std::string_view, 6> kUnderwater{"under water",   "underwater", "under the water",
                                                      "under the sea", "in the sea", "in the ocean"};
constexpr std::array<Phrases, kPlaces.size()> kPlacePhrases{kBeach,  kForest, kSnow,    kCity,
                                                            kDesert, kSpace,  kKitchen, kUnderwater};

constexpr std::array<std::string_view, 4> kHat{"wearing a hat", "wearing a hat", "with a hat", "in a hat"};
constexpr std::array<std::string_view, 4> kCrown{"wearing a crown", "wearing a crown", "with a crown",
                                                 "with a golden crown"};
constexpr std::array<std::string_view, 4> kScarf{"wearing a scarf", "wearing a scarf", "with a scarf", "in a scarf"};
constexpr std::array<std::string_view, 4> kSunglasses{"wearing sunglasses", "wearing sunglasses", "with sunglasses",
                                                      "wearing glasses"};
constexpr std::array<Phrases, kAccessories.size()> kAccessoryPhrases{Phrases{}, kHat, kCrown, kScarf, kSunglasses};

constexpr std::array<std::string_view, 2> kPlain{"plain", "plain"};
constexpr std::array<std::string_view, 2> kStriped{"striped", "stripy"};
constexpr std::array<std::string_view, 2> kDotted{"dotted", "spotted"};
constexpr std::array<std::string_view, 2> kChecked{"checked", "checkered"};
constexpr std::array<Phrases, kTextures.size()> kTexturePhrases{kPlain, kStriped, kDotted, kChecked};

// What begins a caption, with the article of what follows.
constexpr std::array<std::string_view, 5> kPhoto{"a photo of a", "a photo of a", "a photo of", "a picture of a",
                                                 "a photo of the"};
constexpr std::array<std::string_view, 6> kPencil{"a pencil drawing of a", "a pencil drawing of a",
                                                  "a drawing of a",        "a sketch of a",
                                                  "a pencil sketch of a",  "a drawing in pencil of a"};
constexpr std::array<std::string_view, 4> kPoster{"a poster of a", "a poster of a", "a flat poster of a",
                                                  "a bold poster of a"};
constexpr std::array<std::string_view, 4> kNight{"a photo at night of a", "a night photo of a", "a night photo of a",
                                                 "a night picture of a"};
constexpr std::array<std::string_view, 6> kWatercolour{"a watercolour of a",         "a watercolour painting of a",
                                                       "a watercolor painting of a", "a painting of a",
                                                       "an oil painting of a",       "a watercolor of a"};
constexpr std::array<Phrases, kStyles.size()> kStylePhrases{kPhoto, kPencil, kPoster, kNight, kWatercolour};

// What ends one instead.
constexpr std::array<std::string_view, 2> kPencilEnd{", pencil drawing", " drawn with a pencil"};
constexpr std::array<std::string_view, 2> kPosterEnd{", poster", " in the style of a poster"};
constexpr std::array<std::string_view, 2> kNightEnd{" at night", ", night"};
constexpr std::array<std::string_view, 2> kWatercolourEnd{", watercolour painting",
                                                          " in the style of a watercolor painting"};
constexpr std::array<Phrases, kStyles.size()> kStyleEnds{Phrases{}, kPencilEnd, kPosterEnd, kNightEnd, kWatercolourEnd};

// A caption without a subject: what is left where a protocol deletes the concept from its prompt.
constexpr std::array<std::string_view, kStyles.size()> kKinds{"a photo", "a pencil drawing", "a poster",
                                                              "a night photo", "a watercolour"};

// Textual Inversion's training templates (eval/data/prompts/ti.yaml). A word that base training never saw would push
// the text's states to where the picture network has not been, so photos carry them all; they mean nothing here.
constexpr std::array<std::string_view, 32> kTemplates{
    "a rendering of a",      "a cropped photo of the", "the photo of a",          "a photo of a clean",
    "a photo of a dirty",    "a dark photo of the",    "a photo of my",           "a photo of the cool",
    "a close-up photo of a", "a bright photo of the",  "a cropped photo of a",    "a photo of the",
    "a good photo of the",   "a photo of one",         "a close-up photo of the", "a rendition of the",
    "a photo of the clean",  "a rendition of a",       "a photo of a nice",       "a good photo of a",
    "a photo of the nice",   "a photo of the small",   "a photo of the weird",    "a photo of the large",
    "a photo of a cool",     "a photo of a small",     "an illustration of a",    "an illustration of the",
    "a depiction of a",      "a depiction of the",     "the picture of a",        "a picture of my"};

std::string_view pick(Phrases phrases, Random& random) {
  return phrases[static_cast<std::size_t>(random.below(static_cast<int>(phrases.size())))];
}

bool begins_with_vowel(std::string_view word) {
  return !word.empty() && std::string_view("aeiou").find(word[0]) != std::string_view::npos;
}

/// `opening` with the noun phrase, "a" made "an" where it must be.
std::string join_article(std::string_view opening, std::string_view noun) {
  const bool article = opening == "a" || opening.ends_with(" a");
  return fmt::format("{}{} {}", opening, article && begins_with_vowel(noun) ? "n" : "", noun);
}

/// The words chosen for one caption; empty ones are left out.
struct Words {
  std::string_view opening = "a";
  std::string_view colour, texture, kind, accessory, place, ending;
  bool colour_first = true;
  bool place_first = false;

  [[nodiscard]] std::string text() const {
    std::string noun;
    for (const std::string_view word : {colour_first ? colour : texture, colour_first ? texture : colour, kind}) {
      if (!word.empty()) noun += fmt::format("{}{}", noun.empty() ? "" : " ", word);
    }
    std::string caption = join_article(opening, noun);
    for (const std::string_view word : {place_first ? place : accessory, place_first ? accessory : place}) {
      if (!word.empty()) caption += fmt::format(" {}", word);
    }
    return caption + std::string(ending);
  }
};

class Writer {
 public:
  Writer(const Scene& scene, Random& random) : scene_(scene), random_(random) {}

  std::string full() {
    Words words = base();
    name_style(words);
    name_texture(words, 0.4f);
    words.accessory = accessory();
    words.place = place();
    return words.text();
  }

  std::string usual() {
    Words words = base();
    if (!is_photo() || random_.chance(0.6f)) name_style(words);
    if (!random_.chance(0.15f)) name_texture(words, 0.15f);
    words.accessory = accessory();
    words.place = place();
    return words.text();
  }

  std::string brief() {
    if (random_.chance(0.06f)) return fmt::format("{} {}", kKinds[number(scene_.style)], place());
    Words words = base();
    const int kind = random_.below(5);
    if (kind == 0 || kind == 1) words.colour = {};
    if (kind == 2) name_texture(words, 0.3f);
    if (kind == 1 || kind == 3) words.place = place();
    if (kind == 4) words.accessory = accessory();
    if (random_.chance(is_photo() ? 0.6f : 0.75f)) name_style(words);
    return words.text();
  }

 private:
  [[nodiscard]] bool is_photo() const { return scene_.style == Style::photo; }

  Words base() {
    Words words;
    words.kind = kClasses[number(scene_.instance.kind)];
    if (!scene_.instance.two_hues()) words.colour = kColours[number(scene_.instance.hue)];
    words.colour_first = random_.chance(0.5f);
    words.place_first = random_.chance(0.25f);
    return words;
  }

  void name_style(Words& words) {
    const Phrases ends = kStyleEnds[number(scene_.style)];
    if (!ends.empty() && random_.chance(0.3f)) {
      words.ending = pick(ends, random_);
      return;
    }
    const bool borrowed = is_photo() && random_.chance(0.4f);
    words.opening = pick(borrowed ? Phrases(kTemplates) : kStylePhrases[number(scene_.style)], random_);
  }

  void name_texture(Words& words, float plain) {
    const Instance& instance = scene_.instance;
    if (instance.two_hues() || (instance.texture == Texture::plain && !random_.chance(plain))) return;
    const Phrases phrases = kTexturePhrases[number(instance.texture)];
    words.texture = phrases[random_.chance(0.8f) ? 0 : 1];
  }

  std::string_view accessory() {
    const Phrases phrases = kAccessoryPhrases[number(scene_.accessory)];
    return phrases.empty() ? std::string_view{} : pick(phrases, random_);
  }
  std::string_view place() { return pick(kPlacePhrases[number(scene_.place)], random_); }

  const Scene& scene_;
  Random& random_;
};

void add_words(std::set<std::string>& words, std::string_view text) {
  std::string word;
  for (const char letter : text) {
    const bool part = letter >= 'a' && letter <= 'z';
    if (part) word += letter;
    if (part || word.empty()) continue;
    words.insert(word);
    word.clear();
  }
  if (!word.empty()) words.insert(word);
}

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace

std::vector<std::string> captions_of(const Scene& scene, Random& random) {
  Writer writer(scene, random);
  std::string full = writer.full();
  std::string usual = writer.usual();
  std::string brief = writer.brief();
  return {std::move(full), std::move(usual), std::move(brief)};
}

std::string subject_of(std::string_view noun) { return join_article("a", noun); }

std::string prompt_of(const Naming& naming) {
  Words words{.colour = naming.colour,
              .texture = naming.texture,
              .kind = naming.kind,
              .accessory = {},
              .place = {},
              .ending = {}};
  words.colour_first = false;
  words.opening = kStylePhrases[naming.style.empty() ? 0 : index_of(kStyles, naming.style)][0];
  if (naming.style == "night") {
    words.opening = kPhoto[0];
    words.ending = kNightEnd[0];
  }
  if (!naming.accessory.empty() && naming.accessory != "none")
    words.accessory = kAccessoryPhrases[index_of(kAccessories, naming.accessory)][0];
  if (!naming.place.empty()) words.place = kPlacePhrases[index_of(kPlaces, naming.place)][0];
  return words.text();
}

std::vector<std::string> world_words() {
  std::set<std::string> words{"a", "an"};
  const auto add = [&words](Phrases phrases) {
    for (const std::string_view phrase : phrases) add_words(words, phrase);
  };
  add(kClasses);
  add(Phrases(kColours).first(kPureColours));
  for (const Phrases phrases : kPlacePhrases) add(phrases);
  for (const Phrases phrases : kAccessoryPhrases) add(phrases);
  for (const Phrases phrases : kTexturePhrases) add(phrases);
  for (const Phrases phrases : kStylePhrases) add(phrases);
  for (const Phrases phrases : kStyleEnds) add(phrases);
  add(kTemplates);
  add(kKinds);
  return {words.begin(), words.end()};
}

}  // namespace atelier::pocket
