package socketio

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Clients of revision 4 cannot come back: their events end in no offset,
// whichever way they take, and those of other clients beside them do.
func TestRecoveryIsNotForOldClients(t *testing.T) {
	t.Parallel()
	onEachLoop(t, func(t *testing.T, loops int) {
		o := recovering(loops)
		o.AllowEIO3 = true
		s := serve(t, o, func(s *Server) {
			s.Use(func(k *Socket) error { return k.Emit("early", "a") })
			s.OnConnection(func(k *Socket) {
				k.Join("room")
				_ = k.Emit("ready")
			})
		})
		old, sid := dialOld(t, s)
		old.expect(`42["early","a"]`, "40", `42["ready"]`)
		p := &returner{peer: dial(t, s)}
		p.send(`40{"pid":"AAAAAAAAAAAAAAAAAAAA"}`)
		require.Equal(t, `42["early","a"`, p.event(p.next()))
		p.welcome(p.next())
		require.Equal(t, `42["ready"`, p.event(p.next()))

		k, err := s.root.Socket(sid)
		require.NoError(t, err)
		require.NoError(t, k.loop().do(func(*loop) { // so that they are merged
			require.NoError(t, s.Emit("none"))
			require.NoError(t, s.Emit("one", 1, "two"))
			require.NoError(t, s.Emit("bin", []byte("x"), []byte("yz")))
		}))
		require.NoError(t, s.To("room").Compress(false).Emit("plain"))
		const bin = `["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}`
		old.expect(`42["none"]`, `42["one",1,"two"]`, "452-"+bin+"]", "b:\x04x", "b:\x04yz",
			`42["plain"]`)
		require.Equal(t, `42["none"`, p.event(p.next()))
		require.Equal(t, `42["one",1,"two"`, p.event(p.next()))
		require.Equal(t, "452-"+bin, p.event(p.next()))
		p.expect("b:x", "b:yz")
		require.Equal(t, `42["plain"`, p.event(p.next()))

		require.NoError(t, s.To(sid).Emit("own", "last"))
		require.NoError(t, k.Emit("direct", []byte("z")))
		old.expect(`42["own","last"]`, `451-["direct",{"_placeholder":true,"num":0}]`, "b:\x04z")

		// Nor is a session kept for them.
		require.NoError(t, old.conn.Close())
		soon(t, "gone", func() bool { return s.root.Len() == 1 })
		require.Zero(t, s.Stats().Recovery.Parked)
		p.drop(s)
	})
}
