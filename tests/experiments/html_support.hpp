// What is checked of every HTML report.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "spaces/json_reader.hpp"

namespace ridgeline::testing {

inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// The page without what stands in its scripts and style.
inline std::string markup(std::string html) {
  for (const char* tag : {"script", "style"}) {
    const std::string close = std::string("</") + tag + ">";
    for (std::size_t at = html.find(std::string("<") + tag); at != std::string::npos;
         at = html.find(std::string("<") + tag, at + 1)) {
      const std::size_t begin = html.find('>', at) + 1;
      html.erase(begin, html.find(close, begin) - begin);
    }
  }
  return html;
}

inline void expect_balanced_tags(const std::string& html) {
  const std::string page = markup(html);
  std::vector<std::string> open;
  const std::regex tag(R"(<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*>)");
  for (std::sregex_iterator it(page.begin(), page.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2];
    if (name == "meta") continue;
    if ((*it)[1].length() == 0) {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    EXPECT_EQ(open.back(), name);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

inline void expect_self_contained(const std::string& html) {
  EXPECT_THAT(html, ::testing::HasSubstr("default-src 'none'"));
  EXPECT_THAT(html, ::testing::Not(::testing::HasSubstr("unsafe-eval")));
  const std::string page = markup(html);
  EXPECT_FALSE(std::regex_search(page, std::regex(R"(\s(src|href|action|data|poster|srcset)\s*=)", std::regex::icase)));
  EXPECT_THAT(page, ::testing::Not(::testing::HasSubstr("<link")));
  const std::size_t style = html.find("<style>"), end = html.find("</style>");
  EXPECT_FALSE(std::regex_search(html.substr(style, end - style), std::regex(R"(@import|url\()")));
}

// What the page's scripts draw from.
inline Json page_data(const std::string& html) {
  const std::string open = "<script type=\"application/json\" id=\"report-data\">";
  const std::size_t begin = html.find(open) + open.size();
  return Json::parse(html.substr(begin, html.find("</script>", begin) - begin));
}

}  // namespace ridgeline::testing
