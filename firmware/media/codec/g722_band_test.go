package codec

import "testing"

// The band coders divide and leak by tricks; here each is compared with the words of the recommendation
// for every input that can come.

func TestTheQuantiserFindsTheIntervalThatWalkingAlongTheDecisionLevelsFinds(t *testing.T) {
	for upper := range 18432>>6 + 1 {
		scale := scaleFactor(upper, 8)
		want := 1
		for m := range int32(32768) {
			for want < 30 && m >= g722Q6[want]*scale.det>>12 {
				want++ // the levels rise, and so does m
			}
			quotient := uint64(m<<12|4095) * scale.reciprocal >> reciprocalShift
			if got := int(g722Interval[min(quotient, lastInterval)]); got != want {
				t.Fatalf("scale factor %d, magnitude %d: interval %d, want %d", scale.det, m, got, want)
			}
		}
	}
}

func TestEveryScaleFactorHasAnEntryOfItsOwn(t *testing.T) {
	for _, band := range []struct {
		table      *[512]g722Scale
		most, base int32
	}{{g722Low, 18432, 8}, {g722High, 22528, 10}} {
		for nb := range band.most + 1 {
			want := int64(g722ILB[nb>>6&31]) << (nb >> 11) >> band.base << 2
			if got := band.table[nb>>6&511].det; int64(got) != want || got <= 0 {
				t.Fatalf("base %d, logarithm %d: %d, want %d", band.base, nb, got, want)
			}
		}
	}
}

func TestALeakIsTheProductOfTheRecommendation(t *testing.T) {
	for v := int32(-32768); v <= 32767; v++ {
		if got, want := leak(v, 8), v*32640>>15; got != want {
			t.Fatalf("%d of a zero or first pole coefficient leaks to %d, want %d", v, got, want)
		}
		if got, want := leak(v, 7), v*32512>>15; got != want {
			t.Fatalf("%d of a second pole coefficient leaks to %d, want %d", v, got, want)
		}
		if got := leak(v, 8) + signed(128, v>>31); got != saturate(got) {
			t.Fatalf("a zero coefficient of %d grows to %d", v, got)
		}
	}
	for nb := range int32(22529) {
		if got, want := leak(nb, 7), nb*127>>7; got != want {
			t.Fatalf("a logarithm of %d leaks to %d, want %d", nb, got, want)
		}
	}
}
