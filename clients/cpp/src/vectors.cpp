#include "vectors.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace embeddings {

namespace {

static_assert(sizeof(float) == 4, "float must be IEEE 754 single precision");

// Reverses the bytes of each value on a big-endian machine.
void to_or_from_little_endian(char* data, std::size_t size) {
  const std::uint16_t one = 1;
  if (*reinterpret_cast<const unsigned char*>(&one) == 1) {
    return;
  }
  for (std::size_t at = 0; at < size; at += sizeof(float)) {
    std::reverse(data + at, data + at + sizeof(float));
  }
}

}  // namespace

std::string to_bytes(const std::vector<float>& vector) {
  std::string data(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float));
  to_or_from_little_endian(data.data(), data.size());
  return data;
}

std::vector<float> from_bytes(const std::string& data) {
  if (data.size() % sizeof(float) != 0) {
    throw std::invalid_argument("A vector must have 4 bytes per value; got " + std::to_string(data.size()) + " bytes.");
  }
  std::vector<float> vector(data.size() / sizeof(float));
  if (!vector.empty()) {
    std::memcpy(vector.data(), data.data(), data.size());
    to_or_from_little_endian(reinterpret_cast<char*>(vector.data()), data.size());
  }
  return vector;
}

std::vector<float> vector_of(const embeddings::v1::Embedding& embedding) {
  return embedding.values_f32().empty() ? std::vector<float>(embedding.values().begin(), embedding.values().end()) : from_bytes(embedding.values_f32());
}

std::vector<float> vector_of(const embeddings::v1::VectorPoint& point) {
  return point.vector_f32().empty() ? std::vector<float>(point.vector().begin(), point.vector().end()) : from_bytes(point.vector_f32());
}

}  // namespace embeddings
