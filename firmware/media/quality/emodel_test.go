package quality

import (
	"math"
	"testing"
)

// tolerance is how far an opinion may be from the reference.
const tolerance = 0.2

func TestTheRatingOfADefaultPathIsThatOfTheStandard(t *testing.T) {
	if r := (Path{Codec: G711}).R(); math.Abs(r-93.2) > 0.05 {
		t.Errorf("R is %.2f, G.107 section 7.7 says 93.2", r)
	}
}

// Table B.1 of G.107.
func TestOpinionsFollowTheStandardsTable(t *testing.T) {
	for r, want := range map[float64]float64{0: 1, 50: 2.58, 60: 3.10, 70: 3.60, 80: 4.03, 90: 4.34, 93.2: 4.41, 100: 4.5} {
		if got := MOS(r); math.Abs(got-want) > 0.01 {
			t.Errorf("R %v gives %.3f, want %v", r, got, want)
		}
	}
	for r := -20.0; r < 120; r++ {
		if a, b := MOS(r), MOS(r+1); a > b+1e-9 || a < 1 || b > 4.5 {
			t.Errorf("R %v gives %.3f, the next %.3f", r, a, b)
		}
	}
}

// G.113 appendix I, planning values of Ie under random loss, as they were before Bpl: listeners' judgement.
func TestLossOfG711IsRatedAsListenersDid(t *testing.T) {
	for _, c := range []struct {
		codec Codec
		loss  float64 // percent
		ie    float64
	}{
		{G711, 0, 0}, {G711, 1, 5}, {G711, 2, 7}, {G711, 3, 10}, {G711, 5, 15}, {G711, 7, 20}, {G711, 10, 25}, {G711, 15, 35}, {G711, 20, 45},
	} {
		got, want := MOS(Path{Codec: c.codec, Loss: c.loss / 100}.R()), MOS(93.2-c.ie)
		if math.Abs(got-want) > tolerance {
			t.Errorf("%+v: %v %% of loss gives %.2f, listeners say %.2f", c.codec, c.loss, got, want)
		}
	}
}

// The linear fit of Cole and Rosenbluth (2001) to the standard's curve of delay.
func TestDelayIsRatedAsThePublishedFitDoes(t *testing.T) {
	for delay := 0.0; delay <= 400; delay += 10 {
		id := 0.024 * delay
		if delay > 177.3 {
			id += 0.11 * (delay - 177.3)
		}
		got, want := MOS(Path{Codec: G711, Delay: delay}.R()), MOS(93.2-id)
		if math.Abs(got-want) > tolerance {
			t.Errorf("%v ms: %.2f, the fit gives %.2f", delay, got, want)
		}
	}
}

func TestMoreOfWhatIsWrongIsNeverBetter(t *testing.T) {
	before := 101.0
	for loss := 0.0; loss <= 1; loss += 0.01 {
		r := Path{Codec: G711, Loss: loss, BurstR: 1}.R()
		if r > before {
			t.Errorf("loss of %.2f is better than less", loss)
		}
		if burst := (Path{Codec: G711, Loss: loss, BurstR: 3}).R(); burst > r {
			t.Errorf("bursts at a loss of %.2f are better than none", loss)
		}
		before = r
	}
	before = 101
	for echo := 65.0; echo > 5; echo-- {
		r := Path{Codec: G711, Delay: 100, Echo: echo}.R()
		if r > before {
			t.Errorf("an echo at %v dB is better than a softer one", echo)
		}
		before = r
	}
}
