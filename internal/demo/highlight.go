package demo

import (
	"html/template"
	"strings"
	"text/scanner"
)

// keywords are the words that Go and JavaScript reserve; the pages show both.
var keywords = wordSet(`break case catch class const continue default defer else
export extends false for from func function go if import interface let map new
nil null of package range return select static struct switch throw true try
type undefined var while async await`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

// highlight returns source code as HTML, with keywords, strings and comments
// in spans of the classes k, s and c. Go's scanner is near enough to
// JavaScript for what is served here.
func highlight(code string) template.HTML {
	var s scanner.Scanner
	s.Init(strings.NewReader(code))
	s.Mode = scanner.ScanIdents | scanner.ScanStrings | scanner.ScanRawStrings |
		scanner.ScanChars | scanner.ScanComments
	s.Error = func(*scanner.Scanner, string) {} // color is all it decides
	var b strings.Builder
	end := 0 // of what is written already
	for tok := s.Scan(); tok != scanner.EOF; tok = s.Scan() {
		text, at := s.TokenText(), s.Offset
		class := ""
		switch {
		case tok == scanner.Ident && keywords[text]:
			class = "k"
		case tok == scanner.String, tok == scanner.RawString, tok == scanner.Char:
			class = "s"
		case tok == scanner.Comment:
			class = "c"
		default:
			continue // with the text before the next span
		}
		template.HTMLEscape(&b, []byte(code[end:at]))
		b.WriteString(`<span class="` + class + `">`)
		template.HTMLEscape(&b, []byte(text))
		b.WriteString(`</span>`)
		end = at + len(text)
	}
	template.HTMLEscape(&b, []byte(code[end:]))
	return template.HTML(b.String())
}
