package socketio

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exported returns what a program can name of this package: "Server",
// "Server.Of", "Options.Addr", "On2", "ErrTimeout".
func exported(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				names[name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					addSpec(names, spec)
				}
			}
		}
	}
	for name := range names {
		for _, part := range strings.Split(name, ".") {
			if !ast.IsExported(part) {
				delete(names, name)
			}
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return "_" // generic: this package has none
}

func addSpec(names map[string]bool, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			names[id.Name] = true
		}
	case *ast.TypeSpec:
		names[spec.Name.Name] = true
		if st, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range st.Fields.List {
				for _, id := range field.Names {
					names[spec.Name.Name+"."+id.Name] = true
				}
			}
		}
	}
}

var code = regexp.MustCompile("`([^`]+)`")

// tableProblems says what is wrong with a row of docs/api.md.
func tableProblems(cells []string, names map[string]bool) (out []string) {
	if len(cells) != 4 {
		return []string{"a row has four cells"}
	}
	for _, c := range cells {
		if c == "" {
			out = append(out, "a cell is empty")
		}
	}
	if cells[2] == "—" {
		return out
	}
	found := code.FindAllStringSubmatch(cells[2], -1)
	if len(found) == 0 {
		out = append(out, "no name in `code`")
	}
	for _, m := range found {
		if !names[m[1]] {
			out = append(out, m[1]+" does not exist")
		}
	}
	return out
}

// The table of the API names nothing that does not exist.
func TestDocumentedNamesExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	require.NoError(t, err)
	names := exported(t)
	rows := 0
	for i, line := range strings.Split(string(text), "\n") {
		row, ok := strings.CutPrefix(line, "| ")
		if !ok || strings.HasPrefix(line, "| Node |") {
			continue
		}
		rows++
		cells := strings.Split(strings.TrimSuffix(row, "|"), "|")
		for k := range cells {
			cells[k] = strings.TrimSpace(cells[k])
		}
		for _, problem := range tableProblems(cells, names) {
			t.Errorf("docs/api.md:%d: %s", i+1, problem)
		}
	}
	require.Greater(t, rows, 100)
}

// What an application registers or calls must be findable in the table.
func TestEveryNameOfUseIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	require.NoError(t, err)
	for name := range exported(t) {
		owner, method, _ := strings.Cut(name, ".")
		switch owner {
		case "Server", "Namespace", "Socket", "Broadcast", "Conn":
		default:
			continue
		}
		if method == "" {
			continue
		}
		// The same method stands for its like on another type.
		if !regexp.MustCompile("`[A-Z][a-z]+\\." + method + "`").Match(text) {
			t.Errorf("docs/api.md does not mention %s", name)
		}
	}
}

func TestTableCheckSeesProblems(t *testing.T) {
	t.Parallel()
	names := exported(t)
	require.True(t, names["Server.Of"] && names["Options.MaxRooms"] && names["On2"] &&
		names["ErrTimeout"] && names["CodeForbidden"] && names["Event.Bind"])
	require.False(t, names["Server.opt"] || names["client.Packet"] || names["defaultPath"])
	row := func(s string) []string { return strings.Split(s, "|") }
	require.Empty(t, tableProblems(row("a|b|`Server.Of`|x"), names))
	require.Empty(t, tableProblems(row("a|b|—|why"), names))
	for _, bad := range []string{"a|b|`Server.Off2`|x", "a|b||x", "|b|`On`|x", "a|b|—|", "a|b|`On`|", "a|b|text|x",
		"a|b|`On`", "a|b|`On`, `Nothing`|x"} {
		require.NotEmpty(t, tableProblems(row(bad), names), bad)
	}
}
