package socketio

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What another node calls arguments is relayed without another look.
func TestArgumentsOfOtherNodesAreValidated(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]bool{
		``: true, `1`: true, `{"a":"é"},[2]`: true,
		`{`: false, `1]`: false, "\"\xff\"": false, "\"\xed\xa0\x80\"": false,
	} {
		require.Equal(t, want, validArgs([]byte(args)), "%q", args)
	}
}
