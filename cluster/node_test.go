package cluster_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
)

func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	n := cluster.Node{ID: "a", Incarnation: 7, Tag: 3, Addr: "h:1", Secret: "hush"}
	s := cluster.Status{Self: n, Nodes: []cluster.NodeStatus{{Node: n}}}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "node", n)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "node", n, "status", s)
	for _, out := range []string{string(text), log.String(), fmt.Sprint(n), fmt.Sprintf("%v", n),
		fmt.Sprintf("%+v %s", n, n), fmt.Sprintf("%+v", s)} {
		require.NotContains(t, out, "hush")
	}
	require.Equal(t, "a.7 (tag 3, h:1)", n.String())
}
