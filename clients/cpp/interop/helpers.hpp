#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "embeddings/v1/image.pb.h"

namespace v1 = embeddings::v1;

using Vector = std::vector<float>;

inline std::string crop(int number) {
  std::string data;
  data.reserve(112 * 112 * 3);
  for (int y = 0; y < 112; ++y) {
    for (int x = 0; x < 112; ++x) {
      for (int c = 0; c < 3; ++c) {
        data.push_back(static_cast<char>((7 * x + 13 * y + 31 * c + 17 * number) % 256));
      }
    }
  }
  return data;
}

inline void set_pixels(v1::Image* image, std::string data) {
  auto* pixels = image->mutable_pixels();
  pixels->set_width(112);
  pixels->set_height(112);
  pixels->set_format(v1::PIXEL_FORMAT_RGB8);
  pixels->set_data(std::move(data));
}

inline void expect(bool holds, const std::string& otherwise) {
  if (!holds) {
    throw std::runtime_error(otherwise);
  }
}

inline double norm(const Vector& vector) {
  double sum = 0;
  for (float value : vector) {
    sum += static_cast<double>(value) * value;
  }
  return std::sqrt(sum);
}

inline double farthest(const Vector& a, const Vector& b) {
  double most = 0;
  for (std::size_t at = 0; at < a.size(); ++at) {
    most = std::max(most, std::abs(static_cast<double>(a[at]) - b[at]));
  }
  return most;
}
