package config

import (
	"strings"
)

// unknown words the complaint about a name.
func unknown(what, name, hint string) string {
	text := "unknown " + what + " " + quote(name)
	if hint != "" {
		text += ": " + hint
	}
	return text
}

// hint finds the valid key that is meant by one that is not: the name Node's
// server or Flask-SocketIO has for it, the same word in another table, or the
// nearest.
func hint(key string, table bool) string {
	if table {
		if t := nearest(key, tableKeys()); t != "" {
			return `did you mean [` + t + `]?`
		}
		return ""
	}
	for _, f := range fields {
		for name := range strings.SplitSeq(f.Node+", "+f.Python, ", ") {
			if name != "" && strings.EqualFold(name, key) {
				return "it is " + quote(f.Key) + " here"
			}
		}
	}
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, f := range fields {
		if f.Key != last && strings.HasSuffix(f.Key, "."+last) || f.Key == last && f.Key != key {
			return "did you mean " + quote(f.Key) + "?"
		}
	}
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.Key)
	}
	if k := nearest(key, keys); k != "" {
		return "did you mean " + quote(k) + "?"
	}
	return ""
}

func tableKeys() []string {
	var keys []string
	for _, t := range tables {
		keys = append(keys, t.Key)
	}
	return keys
}

// nearest returns the name with the fewest edits from s, if they are few
// enough to be a slip.
func nearest(s string, names []string) string {
	best, least := "", max(2, len(s)/3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(s), n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is Levenshtein's, over bytes: names are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
