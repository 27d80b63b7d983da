package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the module's directory, from this package's own.
const root = "../.."

// maxLines is where a file has a second owner living in it.
const maxLines = 500

// skipDir reports directories without Go files of this module.
func skipDir(path string, d fs.DirEntry) bool {
	switch d.Name() {
	case "node_modules", "testdata", "tmp", "bin", "dist":
		return true
	}
	if path == root {
		return false
	}
	if strings.HasPrefix(d.Name(), ".") {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil
}

// goFiles lists all Go files of the module, whatever their build tags.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipDir(path, d) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestEachPackageHasOneDoc(t *testing.T) {
	t.Parallel()
	docs := map[string][]string{} // directory -> files with a package doc
	names := map[string]string{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil,
			parser.PackageClauseOnly|parser.ParseComments)
		require.NoError(t, err)
		dir := filepath.Dir(path)
		names[dir] = f.Name.Name
		if f.Doc != nil {
			docs[dir] = append(docs[dir], filepath.Base(path))
			if f.Name.Name != "main" {
				require.True(t, strings.HasPrefix(f.Doc.Text(), "Package "+f.Name.Name+" "),
					"%s: the package doc starts with \"Package %s\"", path, f.Name.Name)
			}
		}
	}
	for dir := range names {
		require.Len(t, docs[dir], 1, "%s: exactly one file carries the package doc", dir)
	}
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if generated(t, path) {
			continue
		}
		require.LessOrEqual(t, strings.Count(string(text), "\n"), maxLines,
			"%s: split it where its second owner lives", path)
	}
}

func generated(t *testing.T, path string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil,
		parser.PackageClauseOnly|parser.ParseComments)
	require.NoError(t, err)
	return ast.IsGenerated(f)
}

// The race detector allocates itself, so that such a test would fail under
// it; scripts/test.sh runs the files marked !race in a second pass.
func TestAllocationTestsAreMarked(t *testing.T) {
	t.Parallel()
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if strings.Contains(string(text), "testing."+"AllocsPerRun(") {
			require.Regexp(t, `(?m)^//go:build .*!race`, string(text), path)
		}
	}
}
