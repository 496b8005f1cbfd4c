# Run by the build: writes OUTPUT, a C++ file with the reports' pages, their scripts, Vega and notice as string literals.
# SOURCE: experiments/; VEGA: folder of vega-*.min.js; MODULES: which of them.

file(READ ${SOURCE}/report/report.html.in page)
file(READ ${SOURCE}/report/report_style.css style)
file(READ ${SOURCE}/report/report_drawing.js drawing)
file(READ ${SOURCE}/report/report_charts.js charts)
file(READ ${SOURCE}/training/training_page.html.in training_page)
file(READ ${SOURCE}/training/training_charts.js training_charts)
file(READ ${SOURCE}/report/comparison_page.html.in comparison_page)
file(READ ${SOURCE}/report/comparison_charts.js comparison_charts)
file(READ ${SOURCE}/report/report_notice.txt notice)

# Vega's files are CommonJS modules where `exports` and `module` exist, so each gets a function with its own.
# vega-functions asks for "vega-selections", which Debian ships under the name of its source folder.
string(APPEND vega "/*\n${notice}*/\nconst vega = (() => {\nconst sources = {}, made = {};\n"
  "const need = (name) => {\n  if (name === 'vega-selections') name = 'vega-selection';\n"
  "  if (!made[name]) sources[name](made[name] = {}, need, {});\n  return made[name];\n};\n")
foreach(module IN LISTS MODULES)
  file(READ ${VEGA}/vega-${module}.min.js text)
  string(REGEX REPLACE "//# sourceMappingURL=[^\n]*" "" text "${text}")
  string(APPEND vega "sources['vega-${module}'] = function (exports, require, module) {\n${text}\n};\n")
endforeach()
string(APPEND vega
  "const transforms = need('vega-dataflow').transforms;\n"
  "for (const name of ['encode', 'transforms', 'view-transforms']) Object.assign(transforms, need('vega-' + name));\n"
  "return Object.assign({}, ...['util', 'parser', 'view', 'interpreter'].map((name) => need('vega-' + name)), {transforms});\n"
  "})();\n")
string(TOLOWER "${vega}" lower)
if(lower MATCHES "</script" OR lower MATCHES "<!--")
  message(FATAL_ERROR "Vega's files hold text that would end an HTML script element")
endif()

set(literals)
foreach(name page style drawing charts training_page training_charts comparison_page comparison_charts vega)
  string(APPEND literals "const std::string_view report_${name} = R\"RIDGELINE(${${name}})RIDGELINE\";\n")
endforeach()
file(WRITE ${OUTPUT}.new "// Generated at build time from experiments/report/, training/training_* and Vega's files.\n"
  "#include \"experiments/report/report_assets.hpp\"\n\nnamespace ridgeline {\n${literals}}  // namespace ridgeline\n")
file(RENAME ${OUTPUT}.new ${OUTPUT})
