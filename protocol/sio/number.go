package sio

import (
	"math"
	"strconv"
	"time"
)

// appendFloat writes f as JavaScript's Number.prototype.toString does, in the
// fewest digits that read back as the same float of the given size. NaN and
// the infinities are null, as in JSON.stringify.
func appendFloat(dst []byte, f float64, bitSize int) []byte {
	if f == 0 {
		return append(dst, '0') // -0 as well
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	abs := math.Abs(f)
	small, large := abs < 1e-6, abs >= 1e21
	if bitSize == 32 {
		small, large = float32(abs) < 1e-6, float32(abs) >= 1e21
	}
	if !small && !large {
		return strconv.AppendFloat(dst, f, 'f', -1, bitSize)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, bitSize)
	// Go pads exponents to two digits: 1e-07 is 1e-7 in JavaScript.
	if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// maxDate is the largest distance from 1970, in milliseconds, that a
// JavaScript Date can hold (ECMA-262, 21.4.1.1).
const maxDate = 8.64e15

// isDate reports whether t is in that range. Far years overflow UnixMilli, so
// the seconds are looked at.
func isDate(t time.Time) bool {
	s := t.Unix()
	return s <= maxDate/1000 && s >= -maxDate/1000 &&
		(s != maxDate/1000 || t.Nanosecond() == 0)
}

// appendTime writes t as Date.prototype.toJSON does.
func appendTime(dst []byte, t time.Time) []byte {
	if !isDate(t) {
		return append(dst, "null"...)
	}
	t = t.UTC()
	dst = append(dst, '"')
	if year := t.Year(); year >= 0 && year <= 9999 {
		dst = appendPadded(dst, year, 4)
	} else {
		sign := byte('+')
		if year < 0 {
			sign, year = '-', -year
		}
		dst = appendPadded(append(dst, sign), year, 6)
	}
	dst = t.AppendFormat(dst, "-01-02T15:04:05.000Z")
	return append(dst, '"')
}

func appendPadded(dst []byte, n, width int) []byte {
	for limit := 10; width > 1; width-- {
		if n < limit {
			dst = append(dst, "00000"[:width-1]...)
			break
		}
		limit *= 10
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
