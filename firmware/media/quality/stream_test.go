package quality

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// sent is one packet of 20 ms with the time of its arrival; those that are lost never arrive.
type sent struct {
	seq  uint16
	ts   uint32
	at   time.Duration
	lost bool
}

// speak makes the packets of a sender whose clock is ppm fast; fate decides about each.
func speak(n int, ppm float64, fate func(i int, p *sent)) []sent {
	all := make([]sent, n)
	for i := range all {
		at := time.Duration(float64(i) * 20e6 / (1 + ppm*1e-6))
		all[i] = sent{seq: uint16(65000 + i), ts: uint32(160*i) - 50000, at: at + 30*time.Millisecond}
		fate(i, &all[i])
	}
	return all
}

// arrive gives the packets to a stream in the order of their arrival.
func arrive(packets []sent) Way {
	var s Stream
	packets = slices.DeleteFunc(slices.Clone(packets), func(p sent) bool { return p.lost })
	slices.SortStableFunc(packets, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
	for _, p := range packets {
		s.Packet(7, p.seq, p.ts, true, p.at)
		s.Loudness(true)
	}
	return s.Way()
}

func TestAWholeStreamHasNothingWrong(t *testing.T) {
	w := arrive(speak(3000, 0, func(int, *sent) {}))
	if w.Received != 3000 || w.Lost+w.Late+w.Reordered+w.Duplicates+w.Bursts != 0 || w.Jitter > time.Millisecond || math.Abs(w.Drift) > 1 {
		t.Errorf("%+v", w)
	}
}

func TestEveryPacketIsCountedOnceAsWhatItWas(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		lost, late := 0, 0
		packets := speak(2000, 0, func(i int, p *sent) {
			if i == 0 {
				return
			}
			switch random.IntN(40) {
			case 0:
				p.lost = true
				lost++
			case 1:
				p.at += 150 * time.Millisecond
				late++
			case 2:
				p.at += 50 * time.Millisecond
			}
		})
		for packets[len(packets)-1].lost { // of which nobody can know
			packets = packets[:len(packets)-1]
			lost--
		}
		w := arrive(packets)
		if int(w.Lost) != lost || int(w.Late) != late || int(w.Received) != len(packets)-lost {
			t.Fatalf("seed %d: %+v, want %d lost and %d late of %d", seed, w, lost, late, len(packets))
		}
	}
}

// RFC 3611 section 4.7.2: losses with fewer than 16 packets between them are of one burst, and a single
// one is of the gap.
func TestBurstsAreDividedFromGaps(t *testing.T) {
	gone := map[int]bool{100: true, 300: true, 301: true, 310: true, 326: true, 343: true, 600: true, 602: true}
	w := arrive(speak(1000, 0, func(i int, p *sent) { p.lost = gone[i] }))
	// 300-326 holds 4 losses: 15 packets lie between 310 and 326. 343 is alone, 16 after.
	if w.Lost != 8 || w.Bursts != 2 || w.BurstLength != (27+3)/2.0 {
		t.Errorf("%+v", w)
	}
	if want := 6.0 / 30; math.Abs(w.BurstDensity-want) > 1e-9 {
		t.Errorf("burst density %v, want %v", w.BurstDensity, want)
	}
	if want := 2.0 / 970; math.Abs(w.GapDensity-want) > 1e-9 {
		t.Errorf("gap density %v, want %v", w.GapDensity, want)
	}
}

func TestTheRatioOfBurstsIsOneForRandomLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	w := arrive(speak(60000, 0, func(_ int, p *sent) { p.lost = random.IntN(10) == 0 }))
	if math.Abs(w.BurstR-1) > 0.05 {
		t.Errorf("random losses: %v", w.BurstR)
	}
	w = arrive(speak(60000, 0, func(i int, p *sent) { p.lost = i%50 < 5 }))
	if math.Abs(w.BurstR-5*0.9) > 0.1 {
		t.Errorf("five at a time: %v, want 4.5", w.BurstR)
	}
}

func TestDriftIsMeasuredThroughJitter(t *testing.T) {
	for _, ppm := range []float64{-500, -200, -50, 0, 50, 200, 500} {
		random := rand.New(rand.NewPCG(4, 4))
		w := arrive(speak(6000, ppm, func(_ int, p *sent) { p.at += time.Duration(random.ExpFloat64() * float64(8*time.Millisecond)) }))
		if math.Abs(w.Drift-ppm) > 20 {
			t.Errorf("%v ppm measured as %.0f", ppm, w.Drift)
		}
	}
}

func TestANewRouteIsNeitherDriftNorLatenessForEver(t *testing.T) {
	w := arrive(speak(6000, 0, func(i int, p *sent) {
		if i > 3000 {
			p.at += 150 * time.Millisecond
		}
	}))
	if w.Late == 0 || w.Late > 520 || math.Abs(w.Drift) > 10 {
		t.Errorf("%+v", w)
	}
}

func TestANewSenderOrClockIsNoLoss(t *testing.T) {
	var s Stream
	now := time.Duration(0)
	for i := range 300 {
		ssrc, seq, ts := uint32(1), uint16(i), uint32(160*i)
		if i >= 100 {
			ssrc, seq, ts = 2, uint16(40000+i), uint32(9e8)+uint32(160*i)
		}
		if i >= 200 {
			ts += 5e7
		}
		s.Packet(ssrc, seq, ts, true, now)
		now += 20 * time.Millisecond
	}
	if w := s.Way(); w.Received != 300 || w.Lost+w.Late != 0 {
		t.Errorf("%+v", w)
	}
}

func TestWhatRepeatsIsNotReceivedTwice(t *testing.T) {
	var s Stream
	for i := range 200 {
		for range 2 {
			s.Packet(1, uint16(i), uint32(160*i), true, time.Duration(i)*20*time.Millisecond)
		}
	}
	if w := s.Way(); w.Received != 200 || w.Duplicates != 200 || w.Lost != 0 {
		t.Errorf("%+v", w)
	}
}

func TestAPacketIsFollowedWithoutAllocation(t *testing.T) {
	var s Stream
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		s.Packet(1, uint16(i), uint32(160*i), true, time.Duration(i)*20*time.Millisecond)
		i++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte{1, 0, 1, 0, 0, 0, 160, 0, 20, 1, 0, 3, 0, 0, 1, 64, 0, 40})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Stream
		now := time.Duration(0)
		var taken uint64
		for ; len(b) >= 9; b = b[9:] {
			now += time.Duration(b[7])<<8*time.Millisecond/64 + time.Duration(b[8])*time.Millisecond
			s.Packet(uint32(b[0]&1), uint16(b[1])<<8|uint16(b[2]), uint32(b[3])<<24|uint32(b[4])<<16|uint32(b[5])<<8|uint32(b[6]), b[0]&2 == 0, now)
			taken++
		}
		w := s.Way()
		if w.Received+w.Duplicates > taken || w.Late > w.Received || w.Loss() < 0 || w.Loss() > 1 || w.BurstDensity > 1 || w.GapDensity > 1 {
			t.Errorf("%d packets: %+v", taken, w)
		}
		if r := (Path{Codec: G711, Loss: w.Loss(), BurstR: w.BurstR}).R(); math.IsNaN(r) {
			t.Errorf("no rating of %+v", w)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	var s Stream
	for i := 0; b.Loop(); i++ {
		s.Packet(1, uint16(i), uint32(160*i), true, time.Duration(i)*20*time.Millisecond)
	}
}
