package sio_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

// stringify reads one value a line and answers with what JSON.stringify makes
// of it: "f" and the bits of a double, "s" and UTF-16 code units, "d" and
// milliseconds of a Date, "j" and JSON to parse first.
const stringify = `
const out = [];
for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
	const rest = line.slice(2);
	switch (line[0]) {
	case "f": {
		const view = new DataView(new ArrayBuffer(8));
		view.setBigUint64(0, BigInt("0x" + rest));
		out.push(JSON.stringify(view.getFloat64(0)));
		break;
	}
	case "s":
		out.push(JSON.stringify(String.fromCharCode(...JSON.parse(rest))));
		break;
	case "d":
		out.push(JSON.stringify(new Date(Number(rest))));
		break;
	case "j":
		out.push(JSON.stringify(JSON.parse(rest)));
		break;
	}
}
process.stdout.write(out.join("\n") + "\n");
`

// wtf8 turns UTF-16 into a Go string that keeps lone surrogates.
func wtf8(units []uint16) string {
	var b []byte
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) {
			if i+1 < len(units) {
				if joined := utf16.DecodeRune(r, rune(units[i+1])); joined != 0xfffd {
					b = append(b, string(joined)...)
					i++
					continue
				}
			}
			b = append(b, 0xe0|byte(r>>12), 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
			continue
		}
		b = append(b, string(r)...)
	}
	return string(b)
}

// The writer is held against JavaScript itself, byte for byte.
func TestAsJavaScriptWrites(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not on PATH")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	var input bytes.Buffer
	var got []string
	add := func(v any) {
		text, err := sio.AppendJSON(nil, v, nil)
		require.NoError(t, err)
		got = append(got, string(text))
	}
	float := func(f float64) {
		fmt.Fprintf(&input, "f %016x\n", math.Float64bits(f))
		add(f)
	}
	str := func(units []uint16) {
		list, err := json.Marshal(units)
		require.NoError(t, err)
		fmt.Fprintf(&input, "s %s\n", list)
		add(wtf8(units))
	}

	for _, f := range []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 1e20, 1e21, 1e22, 123456789012345680000, 1e-5, 1e-6, 1e-7,
		1.5e-7, 9.999999999999999e20, 1 << 53, 1<<53 + 2, math.MaxFloat64, math.SmallestNonzeroFloat64,
		math.NaN(), math.Inf(1), math.Inf(-1), 1e100, 1e-100, 4.35, 100, 1e15, 1.0000000000000002,
	} {
		float(f)
	}
	for range 5000 {
		float(math.Float64frombits(random.Uint64()))
		float(random.NormFloat64() * math.Pow10(random.IntN(50)-25))
		float(float64(random.Int64N(1<<53)) / math.Pow10(random.IntN(6)))
	}

	for c := range 0x10000 / 64 { // every code unit once, in runs of 64
		units := make([]uint16, 64)
		for i := range units {
			units[i] = uint16(c*64 + i)
		}
		str(units)
	}
	alphabet := []uint16{
		'a', '"', '\\', '/', '<', 0, 8, 9, 10, 11, 12, 13, 0x1f, 0x7f, 0x80, 0xe9, 0x2028, 0x2029,
		0xd83d, 0xd800, 0xdbff, 0xdc00, 0xde00, 0xdfff, 0xfeff, 0xfffd, 0xffff,
	}
	for range 5000 {
		units := make([]uint16, random.IntN(12))
		for i := range units {
			units[i] = alphabet[random.IntN(len(alphabet))]
		}
		str(units)
	}

	for range 1000 {
		ms := random.Int64N(2*8_640_000_000_000_001) - 8_640_000_000_000_000
		if random.IntN(2) == 0 {
			ms /= 10_000
		}
		fmt.Fprintf(&input, "d %d\n", ms)
		add(time.UnixMilli(ms))
	}

	// What a handler decodes and sends again is what an echo in JavaScript
	// would send.
	for _, text := range []string{
		`{"a":[1.0,1e3,-0,1E-9,0.10],"b":"\u0041\/\ud83d\ude00\ud83d","c":{"x":null,"y":[true,false]}}`,
		` [ ] `, `{}`, `"\b\f\n\r\t\u2028\u007f\u0000\""`, `12345678901234567890`, `[[[["\udc00"]]]]`,
	} {
		fmt.Fprintf(&input, "j %s\n", text)
		var v any
		require.NoError(t, sio.Decode([]byte(text), nil, &v))
		add(v)
	}

	cmd := exec.Command(node, "-e", stringify)
	cmd.Stdin = &input
	output, err := cmd.Output()
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(output))
	for i := range got {
		require.True(t, lines.Scan(), "%d lines short", len(got)-i)
		if lines.Text() != got[i] {
			t.Fatalf("JavaScript writes %s, we write %s", lines.Text(), got[i])
		}
	}
	require.False(t, lines.Scan())
}
