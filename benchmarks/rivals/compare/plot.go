package main

import (
	"fmt"
	"image/color"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// The figures that are drawn.
var drawn = []struct{ scenario, key, file, title string }{
	{"idle", "memory", "memory.svg", "bytes of process memory for an idle connection"},
	{"idle", "cpu_connect", "connect.svg", "us of CPU for a connect"},
	{"broadcast", "cpu_delivery", "broadcast.svg", "us of CPU for a delivery, one at a time"},
	{"burst", "cpu_delivery", "burst.svg", "us of CPU for a delivery, 32 broadcasts outstanding"},
	{"rooms", "cpu_delivery", "rooms.svg", "us of CPU for a delivery in rooms of 15"},
	{"echo", "cpu_delivery", "echo.svg", "us of CPU for an echo"},
}

// plots draws them into dir and returns the files' names. A point is a
// median, a line the spread; the scale is logarithmic.
func (s *Set) plots(dir string) (files []string, err error) {
	for _, d := range drawn {
		p := plot.New()
		p.Title.Text = d.title
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticks{}
		p.Add(plotter.NewGrid())
		var (
			points bars
			names  []string
		)
		servers := slices.Clone(s.Servers)
		slices.Reverse(servers) // the axis begins below
		for _, v := range servers {
			m, ok := s.spread(v.Name, d.scenario, d.key)
			if !ok || m.Low <= 0 {
				continue
			}
			points.XYs = append(points.XYs, plotter.XY{X: m.Median, Y: float64(len(names))})
			points.XErrors = append(points.XErrors,
				struct{ Low, High float64 }{m.Low - m.Median, m.High - m.Median})
			names = append(names, fmt.Sprintf("%s  %s", v.label(s.Connections), harness.Number(m.Median)))
		}
		if len(names) == 0 {
			continue
		}
		lines, err := plotter.NewXErrorBars(points)
		if err != nil {
			return nil, err
		}
		dots, err := plotter.NewScatter(points.XYs)
		if err != nil {
			return nil, err
		}
		dots.Shape, dots.Radius = draw.CircleGlyph{}, vg.Points(4)
		dots.Color = color.RGBA{R: 0x1f, G: 0x5a, B: 0xa6, A: 0xff}
		p.Add(dots, lines)
		p.NominalY(names...)
		low, high := p.X.Min, p.X.Max
		p.X.Min, p.X.Max = low/1.5, high*1.5
		p.Y.Min, p.Y.Max = -0.5, float64(len(names))-0.5
		if err := p.Save(16*vg.Centimeter, vg.Length(2+len(names))*vg.Centimeter,
			filepath.Join(dir, d.file)); err != nil {
			return nil, err
		}
		files = append(files, d.file)
	}
	return files, nil
}

type bars struct {
	plotter.XYs
	plotter.XErrors
}

// ticks are 1, 2 and 5 of each power of ten; on a long axis, where there is no
// room for all of their labels, only the powers have one.
type ticks struct{}

func (ticks) Ticks(low, high float64) (out []plot.Tick) {
	const long = 1000
	for e := 1e-3; e < 1e9; e *= 10 {
		for _, m := range []float64{1, 2, 5} {
			v := m * e
			if v < low || v > high {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 || high < long*low {
				t.Label = strconv.FormatFloat(v, 'f', -1, 64)
			}
			out = append(out, t)
		}
	}
	return out
}
