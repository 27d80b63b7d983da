package logs

import (
	"path"
	"runtime"
	"strings"
)

// filter is a list of patterns; the last that fits a module decides.
type filter []pattern

type pattern struct {
	glob string
	off  bool
}

// parseFilter reads "throng:*", "socketio,netpoll", "*,-netpoll"; the names of
// Node's modules are understood.
func parseFilter(s string) filter {
	var f filter
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		p := pattern{glob: word}
		if p.glob, p.off = strings.CutPrefix(word, "-"); p.off && p.glob == "" {
			continue
		}
		p.glob = strings.TrimPrefix(p.glob, "throng:")
		p.glob, _, _ = strings.Cut(p.glob, ":")
		if p.glob == "throng" {
			p.glob = "*"
		}
		p.glob = strings.Replace(p.glob, "socket.io", "socketio", 1)
		f = append(f, p)
	}
	return f
}

func (f filter) has(module string) (on bool) {
	for _, p := range f {
		if ok, err := path.Match(p.glob, module); ok && err == nil {
			on = !p.off
		}
	}
	return on
}

const prefix = "github.com/throng-server/throng/"

// moduleOf names the package that a program counter is in.
func moduleOf(pc uintptr) string {
	if pc == 0 {
		return ""
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	name, ok := strings.CutPrefix(frame.Function, prefix)
	if !ok {
		return ""
	}
	name = strings.TrimPrefix(name, "internal/")
	if i := strings.IndexAny(name, "/."); i >= 0 {
		name = name[:i]
	}
	return name
}
