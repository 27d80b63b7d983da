package archtest

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The server that is measured is what a user writes on the first day: the
// public API, default options, default handlers. It lets every client in.
var contractMay = []string{
	module + "/socketio", module + "/cluster", module + "/cluster/valkey",
	"context", "encoding/json", "errors", "flag", "fmt", "log", "log/slog",
	"os", "os/signal", "syscall", "time",
}

var contractSets = []string{"Addr", "AllowEIO3", "Cluster", "ReusePort", "PingInterval"}

func TestContractServerIsUntuned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "benchmarks/contractserver/*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, problem := range contractProblems(f) {
			t.Errorf("%s: %s", path, problem)
		}
	}
}

func TestContractCheckSeesTuning(t *testing.T) {
	t.Parallel()
	parse := func(src string) []string {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", src, parser.ParseComments)
		require.NoError(t, err)
		return contractProblems(f)
	}
	const head = "package main\nimport \"" + module + "/socketio\"\n"
	require.Empty(t, parse(head+"var _, _ = socketio.NewServer(socketio.Options{Addr: \"x\", "+
		"AllowEIO3: true})\n"+
		"func main() { socketio.TuneMemory() }"))
	for _, src := range []string{
		"//go:build linux\n\n" + head,
		head + "import \"runtime/debug\"\n",
		head + "import \"" + module + "/netpoll\"\n",
		head + "import . \"fmt\"\n",
		head + "var _ = socketio.Options{Addr: \"x\", Loops: 4}\n",
		head + "var o socketio.Options\n",
		head + "var o = new(socketio.Options)\n",
		head + "func main() { o := socketio.Options{}; o.Loops = 4 }\n",
		head + "func main() { socketio.TuneProcessors(1, 1) }\n",
		head + "var _ = socketio.Inline\n",
		"package main\n//go:linkname a b\nfunc a()\n",
	} {
		require.NotEmpty(t, parse(src), src)
	}
}

// contractProblems says what in f is more than the contract allows.
func contractProblems(f *ast.File) []string {
	var out []string
	for _, imp := range f.Imports {
		path, _ := strconv.Unquote(imp.Path.Value)
		if !slices.Contains(contractMay, path) || imp.Name != nil {
			out = append(out, "imports "+imp.Path.Value)
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if constraint.IsGoBuild(c.Text) || strings.HasPrefix(c.Text, "//go:") {
				out = append(out, "directive "+c.Text)
			}
		}
	}
	literals := map[ast.Expr]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if isSocketio(n.Type, "Options") {
				literals[n.Type] = true
				for _, e := range n.Elts {
					kv, ok := e.(*ast.KeyValueExpr)
					if !ok {
						out = append(out, "Options without field names")
					} else if k, ok := kv.Key.(*ast.Ident); !ok || !slices.Contains(contractSets, k.Name) {
						out = append(out, "Options sets more than the contract says")
					}
				}
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if _, ok := left.(*ast.SelectorExpr); ok {
					out = append(out, "assigns to a field")
				}
			}
		case *ast.SelectorExpr:
			if isSocketio(n, "Options") && !literals[n] {
				out = append(out, "Options outside a literal could be changed later")
			}
			if isSocketio(n, "") && n.Sel.Name != "TuneMemory" &&
				(strings.HasPrefix(n.Sel.Name, "Tune") || strings.HasPrefix(n.Sel.Name, "Inline")) {
				out = append(out, "uses socketio."+n.Sel.Name)
			}
		}
		return true
	})
	return out
}

// isSocketio reports whether e is socketio.name; any name if name is empty.
func isSocketio(e ast.Expr, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "socketio" && (name == "" || s.Sel.Name == name)
}
