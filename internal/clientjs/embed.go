//go:build clientjs

package clientjs

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

func init() {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is fixed above
	}
	embedded = sub
}
