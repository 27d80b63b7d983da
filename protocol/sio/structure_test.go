package sio_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

type (
	base struct {
		ID     int
		Name   string `json:"name"`
		Shadow string
		hidden int
	}
	other struct {
		Shadow string
		Extra  bool `json:"extra"`
	}
	Exported struct {
		Deep  string
		Name  string `json:"name"`
		inner *Exported
	}
	text   string
	person struct {
		base
		*other
		Exported `json:"exp"`
		Tagged   string `json:"t,omitempty"`
		Skip     string `json:"-"`
		//lint:ignore SA5008 odd tags are what is tested
		Dash string `json:"-,"`
		Zero moment `json:",omitzero"`
		Num  int    `json:"num,string"`
		Str  string `json:",string"`
		Ptr  *int   `json:"ptr,string,omitempty"`
		Flag bool   `json:",string"`
		List []int  `json:"list,omitempty"`
		Any  any    `json:"any"`
		//lint:ignore SA5008 odd tags are what is tested
		Bad  int  `json:"bad\"name"`
		Odd  int  `json:"a<b&c"`
		Text text `json:"text,omitempty,string"`
	}
	moment struct{ At int }

	left  struct{ X, Y int }
	right struct{ X, Z int }
	clash struct {
		left
		right
	}
	tagWins struct {
		Plain
		Tagged
	}
	Plain  struct{ V int }
	Tagged struct {
		W int `json:"V"`
	}
	twice struct {
		Via1
		Via2
	}
	Via1   struct{ Common }
	Via2   struct{ Common }
	Common struct{ C int }

	tree struct {
		Value int              `json:"value"`
		Left  *tree            `json:"left,omitempty"`
		Kids  []tree           `json:"kids,omitempty"`
		Named map[string]*tree `json:"named,omitempty"`
	}
	selfEmbed struct {
		*selfEmbed
		A int
	}
	unexportedTag struct {
		base `json:"b"`
		//lint:ignore U1000 encoding must not see it
		text `json:"gone"`
	}
	marshalerQuoted struct {
		T celsius     `json:",string"`
		N json.Number `json:",string"`
	}
	embeddedMarshaler struct {
		*big.Int
		Other int
	}
	zeroes struct {
		A zeroer         `json:",omitzero"`
		B *zeroer        `json:",omitzero"`
		C pzeroer        `json:",omitzero"`
		D [2]int         `json:",omitempty"`
		E [0]int         `json:",omitempty"`
		F float64        `json:",omitempty"`
		G any            `json:",omitempty"`
		H map[string]int `json:",omitempty"`
		I struct{}       `json:",omitempty"`
		J *int           `json:",omitzero"`
	}
	zeroer  int
	pzeroer int
)

func (z zeroer) IsZero() bool   { return z == 7 }
func (z *pzeroer) IsZero() bool { return *z == 7 }

// Struct and marshaler rules are those of encoding/json; where values have the
// same form in JavaScript, the text must be the same.
func TestStructuresAsEncodingJSON(t *testing.T) {
	t.Parallel()
	n, seven := 3, zeroer(7)
	full := person{
		base: base{1, "n", "s", 2}, other: &other{"o", true},
		Exported: Exported{"d", "e", nil}, Tagged: "t", Skip: "s", Dash: "d",
		Zero: moment{1}, Num: 5, Str: `q"uote`, Ptr: &n, Flag: true, List: []int{1},
		Any: map[string]any{"k": []any{1.5, nil}}, Bad: 1, Odd: 2, Text: "x",
	}
	branch := tree{1, &tree{Value: 2}, []tree{{Value: 3}}, map[string]*tree{"a": nil, "b": {}}}
	for _, v := range []any{
		full, &full, person{}, []person{{}, full}, map[string]person{"p": full},
		clash{left{1, 2}, right{3, 4}}, tagWins{Plain{1}, Tagged{2}}, twice{},
		branch, &branch, selfEmbed{A: 1}, selfEmbed{&selfEmbed{nil, 2}, 1},
		unexportedTag{base: base{ID: 1}}, marshalerQuoted{1, "2"},
		embeddedMarshaler{big.NewInt(5), 1}, big.NewInt(1 << 60),
		zeroes{}, zeroes{A: 7, B: &seven, C: 7, D: [2]int{}, F: 1, G: 0},
		net.IPv4(127, 0, 0, 1), time.Second, [2][]int{{1}, {2}},
		struct{ A, B *int }{A: &n}, map[text]int{"b": 1, "a": 2},
		struct{ M json.Marshaler }{}, struct{ M json.Marshaler }{big.NewInt(3)},
		json.RawMessage(`[1]`), struct{ R json.RawMessage }{}, &n, uintptr(9),
	} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(v))
		var atts [][]byte
		got, err := sio.AppendJSON(nil, v, &atts)
		require.NoError(t, err, "%T", v)
		require.Empty(t, atts)
		require.Equal(t, string(bytes.TrimSpace(want.Bytes())), string(got), "%T", v)
	}
}

func TestTypesAreBuiltConcurrently(t *testing.T) {
	t.Parallel()
	type ring struct {
		Next *ring
		Peer map[string]*ring
		N    int
	}
	done := make(chan string)
	for range 8 {
		go func() {
			b, err := sio.AppendJSON(nil, ring{Next: &ring{N: 1}}, nil)
			if err != nil {
				b = []byte(err.Error())
			}
			done <- string(b)
		}()
	}
	for range 8 {
		require.Equal(t, `{"Next":{"Next":null,"Peer":null,"N":1},"Peer":null,"N":0}`, <-done)
	}
}
