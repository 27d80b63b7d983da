package demo

import (
	"html"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var tag = regexp.MustCompile(`</?span[^>]*>`)

// plain undoes highlight.
func plain(code string) string { return html.UnescapeString(tag.ReplaceAllString(code, "")) }

func TestEveryApplicationStandsBesideItsSource(t *testing.T) {
	t.Parallel()
	addr := start(t)
	for _, a := range apps {
		res, err := http.Get("http://" + addr + a.Path)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode, a.Path)
		require.Equal(t, policy, res.Header.Get("Content-Security-Policy"))
		for _, name := range a.files {
			require.Contains(t, plain(string(body)), read(sources, name), "%s shows %s", a.Path, name)
		}
		for _, name := range a.Scripts {
			require.Contains(t, string(body), `src="/assets/`+name+`"`)
		}

		req, err := http.NewRequest(http.MethodGet, "http://"+addr+a.Path, nil)
		require.NoError(t, err)
		req.Header.Set("If-None-Match", res.Header.Get("ETag"))
		res, err = http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 304, res.StatusCode, "the browser has it")

		for _, theme := range []string{"light", "dark"} {
			require.Less(t, len(read(pages, "pages/pictures/"+a.Picture()+"-"+theme+".webp")), 30_000)
		}
	}
}

func TestHighlight(t *testing.T) {
	t.Parallel()
	require.Equal(t, `<span class="k">if</span> a &lt; <span class="s">&#34;&lt;b&gt;&#34;</span> { `+
		`<span class="c">// &amp;c</span>`, string(highlight(`if a < "<b>" { // &c`)))
	require.Equal(t, `it&#39;s`, plainless(`it's`), "an apostrophe opens nothing")
}

// plainless is highlight without its spans.
func plainless(code string) string { return tag.ReplaceAllString(string(highlight(code)), "") }

// Whatever the code is, it stays the same text, and none of it is markup.
func TestHighlightKeepsTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching("[a-z <>&\"'`/*\n\\\\{}=.;é☕]{0,60}").Draw(t, "code")
		out := plainless(code)
		require.NotRegexp(t, `[<>"]`, out)
		require.Equal(t, code, html.UnescapeString(out))
	})
}
