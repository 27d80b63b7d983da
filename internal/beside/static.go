package beside

import (
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
)

// Static serves the files of a directory, and what is not there by another
// handler. Names that begin with a dot are not there, nor are directories
// without an index.html; symbolic links do not lead out.
type Static struct {
	files fs.FS
	serve http.Handler
	rest  http.Handler
}

// NewStatic opens a directory; rest may be nil.
func NewStatic(dir string, rest http.Handler) (*Static, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &Static{files: root.FS(), rest: rest}
	if s.rest == nil {
		s.rest = http.NotFoundHandler()
	}
	s.serve = http.FileServerFS(s.files)
	return s, nil
}

// ServeHTTP serves a file, or asks the other handler.
func (s *Static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && s.has(r.URL.Path) {
		s.serve.ServeHTTP(w, r)
		return
	}
	s.rest.ServeHTTP(w, r)
}

func (s *Static) has(name string) bool {
	if strings.Contains(name, "/.") || strings.IndexByte(name, 0) >= 0 {
		return false
	}
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(s.files, name)
	if err == nil && info.IsDir() {
		info, err = fs.Stat(s.files, path.Join(name, "index.html"))
	}
	return err == nil && info.Mode().IsRegular()
}
