#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace atelier {

/// Reads the fields of one protocol-buffer message in order. Bytes are untrusted: everything is bounded by the message.
class WireReader {
 public:
  struct Field {
    std::uint64_t number = 0;
    std::uint64_t value = 0;  ///< of a varint or fixed field, as its bits
    std::string_view bytes;   ///< of a length-delimited field
    bool delimited = false;
  };

  /// `offset` is the place of the message in the file, for errors.
  WireReader(std::string_view message, std::string where, std::size_t offset = 0)
      : message_(message), where_(std::move(where)), offset_(offset) {}

  /// The next field; false at the end. Throws Error with file and byte for anything that is no message.
  bool next(Field& field);
  /// A nested message.
  [[nodiscard]] WireReader inside(const Field& field) const;
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const;

 private:
  std::uint64_t varint();
  std::uint64_t fixed(std::size_t size);

  std::string_view message_;
  std::string where_;
  std::size_t offset_ = 0;
  std::size_t at_ = 0;
};

}  // namespace atelier
