#include "reports/svg_pdf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "framework/core/error.h"

namespace atelier::reports {
namespace {

using Attributes = std::map<std::string, std::string>;

constexpr double kFontSize = 12.0;
constexpr double kCircle = 0.5522847498;  // of a Bézier curve's handle for a quarter of a circle

/// Widths of Helvetica's letters from the blank on, in thousandths of the size (Adobe's metrics).
constexpr std::array<int, 95> kWidths{278,  278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
                                      556,  556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
                                      1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
                                      667,  778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
                                      333,  556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
                                      556,  556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584};

struct Tag {
  std::string name;
  Attributes attributes;
  std::string text;  ///< up to the next tag
};

std::string unescaped(std::string_view escaped) {
  static const std::map<std::string, char> entities{
      {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&#39;", '\''}};
  std::string text;
  while (!escaped.empty()) {
    const auto found =
        std::ranges::find_if(entities, [&](const auto& each) { return escaped.starts_with(each.first); });
    text += found == entities.end() ? escaped.front() : found->second;
    escaped.remove_prefix(found == entities.end() ? 1 : found->first.size());
  }
  return text;
}

/// The start tags of a figure, in order.
std::vector<Tag> tags_of(const std::string& svg) {
  std::vector<Tag> tags;
  for (auto at = svg.find('<'); at != std::string::npos;) {
    const auto end = svg.find('>', at);
    const auto next = svg.find('<', at + 1);
    if (end == std::string::npos) break;
    std::string_view inside(svg.data() + at + 1, end - at - 1);
    Tag tag{.name = std::string(inside.substr(0, inside.find_first_of(" /"))), .attributes = {}, .text = {}};
    for (auto sign = inside.find("=\""); sign != std::string_view::npos; sign = inside.find("=\"")) {
      const auto blank = inside.rfind(' ', sign);
      const auto close = inside.find('"', sign + 2);
      tag.attributes[std::string(inside.substr(blank + 1, sign - blank - 1))] =
          unescaped(inside.substr(sign + 2, close - sign - 2));
      inside.remove_prefix(close + 1);
    }
    const auto stop = next == std::string::npos ? svg.size() : next;
    tag.text = unescaped(std::string_view(svg).substr(end + 1, stop - end - 1));
    if (!tag.name.empty()) tags.push_back(std::move(tag));
    at = next;
  }
  return tags;
}

double number_of(const Attributes& attributes, const char* name, double otherwise = 0.0) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
}

/// "0.5 0.5 0.5" of "#808080"; black for currentColor; none for "none" and what is not given.
std::optional<std::string> colour(const Attributes& attributes, const char* name) {
  const auto found = attributes.find(name);
  if (found == attributes.end() || found->second == "none") return {};
  if (!found->second.starts_with('#') || found->second.size() != 7) return "0 0 0";
  const auto value = std::strtoul(found->second.c_str() + 1, nullptr, 16);
  const auto part = [&](unsigned shift) { return static_cast<double>((value >> shift) & 0xFFU) / 255.0; };
  return fmt::format("{:.3f} {:.3f} {:.3f}", part(16), part(8), part(0));
}

class PathWriter {
 public:
  /// The path's operators.
  std::string write(const std::string& d) {
    const char* at = d.c_str();
    char command = 0;
    while (*at != '\0') {
      if (*at == ' ' || *at == ',') {
        ++at;
      } else if (std::string_view("MLHVZlhvz").find(*at) != std::string_view::npos) {
        command = *at++;
        if (command == 'z' || command == 'Z') out_ += "h\n";
      } else {
        step(command, at, d);
      }
    }
    return out_;
  }

 private:
  void step(char command, const char*& at, const std::string& d) {
    const bool relative = command >= 'a';
    const auto next = [&] {
      char* end = nullptr;
      const double value = std::strtod(at, &end);
      if (end == at || command == 0) {
        throw Error({.where = "figure", .found = "the path \"" + d + "\"", .expected = "M, L, H, V and Z"});
      }
      at = end;
      while (*at == ' ' || *at == ',') ++at;
      return value;
    };
    if (command != 'V' && command != 'v') x_ = next() + (relative ? x_ : 0.0);
    if (command != 'H' && command != 'h') y_ = next() + (relative ? y_ : 0.0);
    out_ += fmt::format("{:.2f} {:.2f} {}\n", x_, y_, command == 'M' ? 'm' : 'l');
  }

  double x_ = 0.0, y_ = 0.0;
  std::string out_;
};

std::string circle_path(double x, double y, double r) {
  const double h = kCircle * r;
  std::string out = fmt::format("{:.2f} {:.2f} m\n", x + r, y);
  for (const auto& [ax, ay] : {std::pair(0.0, 1.0), std::pair(-1.0, 0.0), std::pair(0.0, -1.0), std::pair(1.0, 0.0)}) {
    const double bx = ay, by = -ax;  // where the quarter begins
    out += fmt::format("{:.2f} {:.2f} {:.2f} {:.2f} {:.2f} {:.2f} c\n", x + bx * r + ax * h, y + by * r + ay * h,
                       x + ax * r + bx * h, y + ay * r + by * h, x + ax * r, y + ay * r);
  }
  return out + "h\n";
}

/// In WinAnsi; an arrow is a sign of the font Symbol and stands for itself as byte 1.
std::string letters_of(const std::string& text) {
  static const std::map<std::string, char> signs{
      {"→", '\x01'}, {"–", '\x96'}, {"—", '\x97'}, {"…", '\x85'}, {"’", '\x92'}};
  std::string letters;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    const auto sign = text.substr(i, length);
    i += length;
    if (const auto found = signs.find(sign); found != signs.end()) {
      letters += found->second;
    } else if (length == 1 && byte >= 0x20) {
      letters += sign;
    } else if (length == 2 && (byte == 0xC2 || byte == 0xC3)) {
      letters += static_cast<char>((byte << 6U) | (static_cast<unsigned char>(sign[1]) & 0x3FU));
    } else {
      letters += '?';
    }
  }
  return letters;
}

double width_of(const std::string& letters, double size) {
  int width = 0;
  for (const char letter : letters) {
    const auto place = static_cast<unsigned char>(letter) - 0x20;
    width += letter == '\x01' ? 987 : place >= 0 && place < 95 ? kWidths.at(static_cast<std::size_t>(place)) : 556;
  }
  return width * size / 1000.0;
}

/// Shows the letters from where the text stands; an arrow in the other font.
std::string show(const std::string& letters, double size) {
  std::string out;
  for (std::size_t i = 0; i < letters.size();) {
    const bool arrow = letters[i] == '\x01';
    const auto end = arrow ? i + 1 : std::min(letters.find('\x01', i), letters.size());
    out += fmt::format("/{} {:.1f} Tf (", arrow ? "F2" : "F1", size);
    for (const char letter : letters.substr(i, end - i)) {
      if (letter == '(' || letter == ')' || letter == '\\') out += '\\';
      if (arrow) {
        out += "\\256";
      } else {
        out += letter;
      }
    }
    out += ") Tj\n";
    i = end;
  }
  return out;
}

class FigureWriter {
 public:
  explicit FigureWriter(const std::string& svg) {
    for (const auto& tag : tags_of(svg)) add(tag);
  }

  [[nodiscard]] std::string pdf() const {
    if (width_ <= 0.0 || height_ <= 0.0) {
      throw Error({.where = "figure", .found = "no view box", .expected = "viewBox=\"0 0 WIDTH HEIGHT\""});
    }
    const auto content = fmt::format("1 0 0 -1 0 {:.2f} cm\n", height_) + content_;
    const std::vector<std::string> objects{
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        fmt::format("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {:.2f} {:.2f}] /Contents 4 0 R /Resources << /Font << "
                    "/F1 5 0 R /F2 6 0 R >> >> >>",
                    width_, height_),
        fmt::format("<< /Length {} >>\nstream\n", content.size()) + content + "\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"};
    std::string file = "%PDF-1.4\n%\xE2\xE3\xCF\xD3\n", table;
    for (std::size_t i = 0; i < objects.size(); ++i) {
      table += fmt::format("{:010} 00000 n \n", file.size());
      file += fmt::format("{} 0 obj\n", i + 1) + objects[i] + "\nendobj\n";
    }
    const auto start = file.size();
    file += fmt::format("xref\n0 {}\n0000000000 65535 f \n", objects.size() + 1) + table;
    return file + fmt::format("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{}\n%%EOF\n", objects.size() + 1, start);
  }

 private:
  void add(const Tag& tag) {
    const auto& has = tag.attributes;
    if (tag.name == "svg") {
      width_ = number_of(has, "width");
      height_ = number_of(has, "height");
      font_size_ = number_of(has, "font-size", kFontSize);
    } else if (tag.name == "path") {
      paint(has, PathWriter().write(has.at("d")));
    } else if (tag.name == "circle") {
      paint(has, circle_path(number_of(has, "cx"), number_of(has, "cy"), number_of(has, "r")));
    } else if (tag.name == "rect") {
      paint(has, fmt::format("{:.2f} {:.2f} {:.2f} {:.2f} re\n", number_of(has, "x"), number_of(has, "y"),
                             number_of(has, "width"), number_of(has, "height")));
    } else if (tag.name == "text") {
      add_text(tag);
    }
  }

  void paint(const Attributes& has, const std::string& path) {
    const auto stroke = colour(has, "stroke");
    const auto fill = has.contains("fill") || stroke ? colour(has, "fill") : std::optional<std::string>("0 0 0");
    content_ += "q\n";
    if (stroke) content_ += *stroke + fmt::format(" RG {:.2f} w\n", number_of(has, "stroke-width", 1.0));
    if (fill) content_ += *fill + " rg\n";
    if (const auto dash = has.find("stroke-dasharray"); dash != has.end()) content_ += "[" + dash->second + "] 0 d\n";
    content_ += path + (stroke && fill ? "B" : stroke ? "S" : fill ? "f" : "n") + "\nQ\n";
  }

  void add_text(const Tag& tag) {
    const auto letters = letters_of(tag.text);
    const auto anchor = tag.attributes.find("text-anchor");
    const double share = anchor == tag.attributes.end() ? 0.0 : anchor->second == "middle" ? 0.5 : 1.0;
    const double shift = share * width_of(letters, font_size_);
    const double x = number_of(tag.attributes, "x"), y = number_of(tag.attributes, "y");
    const bool upright = tag.attributes.contains("transform");  // rotate(-90 x y), the only one that figures have
    content_ += "BT\n" +
                (upright ? fmt::format("0 -1 -1 0 {:.2f} {:.2f} Tm\n", x, y + shift)
                         : fmt::format("1 0 0 -1 {:.2f} {:.2f} Tm\n", x - shift, y)) +
                show(letters, font_size_) + "ET\n";
  }

  double width_ = 0.0, height_ = 0.0, font_size_ = kFontSize;
  std::string content_;
};

}  // namespace

std::string svg_to_pdf(const std::string& svg) { return FigureWriter(svg).pdf(); }

}  // namespace atelier::reports
