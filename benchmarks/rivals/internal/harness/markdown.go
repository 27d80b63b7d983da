package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// WriteSection puts text into a Markdown file between the marks of a named
// section, in the place of what is there, or at the end of the file. So
// several commands and people write into one file.
func WriteSection(path, name, text string) error {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(section(string(b), name, text)), 0o644)
}

func section(file, name, text string) string {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	text = begin + strings.TrimRight(text, "\n") + "\n" + end
	from, to := strings.Index(file, begin), strings.Index(file, end)
	if from >= 0 && to > from {
		return file[:from] + text + file[to+len(end):]
	}
	if file != "" {
		file = strings.TrimRight(file, "\n") + "\n\n"
	}
	return file + text
}

// Number has three digits that mean something at least, and commas between
// thousands.
func Number(v float64) string {
	if v < 0 {
		return "-" + Number(-v)
	}
	if v < 100 {
		return fmt.Sprintf("%.3g", v)
	}
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
