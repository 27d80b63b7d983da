package engine

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A session id of another node that lives takes the request to net/http and
// from there to it; of a dead one, and of a request that was forwarded
// already, it is unknown.
func TestRequestsForOtherNodes(t *testing.T) {
	t.Parallel()
	const own, lives, dead = 1, 2, 3
	r := start(t, func(o *Options) {
		o.NodeTag = own
		o.Elsewhere = &Elsewhere{
			Lives: func(node uint16, hopped bool) bool { return node == lives && !hopped },
			Forward: func(node uint16, w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = fmt.Fprintf(w, "%d %s %s %s", node, r.Method, r.Header.Get("Upgrade"), body)
			},
			Genuine: func(hop, method, target []byte) bool {
				return string(hop) == "good "+string(method)+" "+string(target)
			},
		}
	})
	sid := func(node uint16) string { id := ID{Node: node}; return id.String() }
	const path = "/socket.io/?EIO=4&sid="
	polling := path + sid(lives) + "&transport=polling"

	k := r.kept(t)
	for range 2 {
		require.Equal(t, "2 GET  ", k.do("GET", polling, "", "").body)
		require.Equal(t, "2 POST  4hello", k.do("POST", polling, "", "4hello").body)
		require.Equal(t, "2 POST  4hello", k.do("POST", polling,
			"Transfer-Encoding: chunked\r\n", "2\r\n4h\r\n4\r\nello\r\n0\r\n\r\n").body)
		require.Equal(t, "2 GET websocket ",
			k.do("GET", path+sid(lives)+"&transport=websocket", upgrade, "").body)
		a := k.do("GET", path+sid(dead)+"&transport=polling", "", "")
		require.Equal(t, `{"code":1,"message":"Session ID unknown"}`, a.body)
		a = k.do("GET", polling, "Throng-Hop: x\r\n", "")
		require.Equal(t, `{"code":1,"message":"Session ID unknown"}`, a.body, "one hop at most")
	}
	for method, want := range map[string]string{"GET": "2 GET  ", "POST": "2 POST  "} {
		resp := r.request(t, method, polling, map[string]string{"POST": "Content-Length: 0\r\n"}[method])
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, want, string(body))
	}
	resp := r.request(t, "GET", path+sid(lives)+"&transport=websocket", upgrade)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "2 GET websocket ", string(body))

	open := k.do("GET", "/socket.io/?EIO=4&transport=polling", "", "").body
	id := strings.SplitN(open, `"`, 5)[3]
	post := path + id + "&transport=polling"
	require.Equal(t, 400, k.do("POST", post, "Throng-Hop: bad\r\n", "6").status)
	require.Zero(t, r.eng.Forwarded())
	require.Equal(t, "ok", k.do("POST", post, "Throng-Hop: good POST "+post+"\r\n", "6").body)
	require.EqualValues(t, 1, r.eng.Forwarded())
}
